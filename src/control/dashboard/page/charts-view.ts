/** The charts: four figures, each with its last minutes, drawn by uPlot. Runs in the browser. */
import type Plot from "uplot";
import type { PastEvent } from "../sample.ts";
import { byId, make, setData, setText } from "./dom.ts";
import type { PageState } from "./state.ts";
import { type Columns, highest, type Line, type Timeline } from "./timeline.ts";
import { bytes, delay, NOTHING, rate } from "./words.ts";

interface Chart {
  readonly title: string;
  /** The figure of the moment, and a word more. */
  readonly now: (state: PageState) => readonly [figure: string, more: string];
  readonly lines: (timeline: Timeline) => readonly Line[];
  readonly unit: (value: number) => string;
  /** As the axis has it; default: as `unit` has it. */
  readonly tick?: (value: number) => string;
  /** Names of the colours of its lines; without them, those of the slots. */
  readonly colours?: readonly string[];
}

const CHARTS: readonly Chart[] = [
  {
    title: "Requests",
    now({ snapshot }) {
      if (snapshot === undefined) return [NOTHING, ""];
      const { requestsPerSecond, errorsPerSecond, abortedPerSecond } = snapshot.traffic;
      return [`${rate(requestsPerSecond)}/s`, `${rate(errorsPerSecond + abortedPerSecond)} errors/s`];
    },
    lines: (timeline) => [
      timeline.line("requests", ({ requests }) => requests),
      timeline.line("errors", ({ errors }) => errors),
    ],
    unit: (value) => `${rate(value)}/s`,
    tick: rate,
    colours: ["accent", "bad"],
  },
  {
    title: "Latency",
    now({ snapshot }) {
      if (snapshot === undefined) return [NOTHING, ""];
      return [delay(snapshot.traffic.p99Ms), `p99 · p50 ${delay(snapshot.traffic.p50Ms)}`];
    },
    lines: (timeline) => [timeline.line("p99", ({ p99 }) => p99), timeline.line("p50", ({ p50 }) => p50)],
    unit: delay,
    colours: ["accent", "second"],
  },
  {
    title: "Loop delay",
    now(state) {
      const worst = perInstance(state, (each) => each.loopDelayMax).toSorted((a, b) => b[1] - a[1])[0];
      return worst === undefined ? [NOTHING, ""] : [delay(worst[1]), `slot ${worst[0]}`];
    },
    lines: (timeline) => timeline.perSlot(1),
    unit: delay,
  },
  {
    title: "Memory",
    now(state) {
      const each = perInstance(state, ({ rss }) => rss);
      if (each.length === 0) return [NOTHING, ""];
      return [bytes(each.reduce((sum, [, rss]) => sum + rss, 0)), "all instances"];
    },
    lines: (timeline) => timeline.perSlot(2),
    unit: bytes,
  },
];

type Statistics = NonNullable<NonNullable<PageState["snapshot"]>["slots"][number]["instances"][number]["statistics"]>;

function perInstance({ snapshot }: PageState, of: (statistics: Statistics) => number): (readonly [number, number])[] {
  return (snapshot?.slots ?? []).flatMap(({ id, instances }) =>
    instances.flatMap(({ statistics }) => (statistics === null ? [] : [[id, of(statistics)] as const])),
  );
}

const HEIGHT = 132;
/** Of a slot, by its number. */
const SLOT_COLOURS = 8;

export class ChartsView {
  readonly #charts: readonly Drawn[];

  constructor() {
    const box = byId("charts", HTMLElement);
    this.#charts = CHARTS.map((chart) => new Drawn(chart, box));
    const resized = new ResizeObserver(() => {
      for (const chart of this.#charts) chart.fit();
    });
    resized.observe(box);
  }

  render(state: PageState, timeline: Timeline): void {
    for (const chart of this.#charts) chart.render(state, timeline);
  }

  /** Colours have changed. */
  redraw(): void {
    for (const chart of this.#charts) chart.forget();
  }
}

/** One of them, in the document. */
class Drawn {
  readonly #chart: Chart;
  readonly #figure = make("strong");
  readonly #more = make("span", "more");
  readonly #most = make("p", "most");
  readonly #keys = make("ul", "keys");
  readonly #canvas = make("div", "canvas");
  #plot: Plot | undefined;
  #names = "";
  #events: readonly PastEvent[] = [];

  constructor(chart: Chart, box: HTMLElement) {
    this.#chart = chart;
    const figure = make("figure", "panel chart");
    const caption = make("figcaption");
    const said = make("p", "figure");
    said.append(this.#figure, this.#more);
    caption.append(make("h2", "", chart.title), said);
    // What it shows is said by the figures above and below.
    this.#canvas.setAttribute("aria-hidden", "true");
    figure.append(caption, this.#canvas, this.#keys, this.#most);
    box.append(figure);
  }

  render(state: PageState, timeline: Timeline): void {
    const [figure, more] = this.#chart.now(state);
    setText(this.#figure, figure);
    setText(this.#more, more);
    this.#events = state.events;
    const lines = this.#chart.lines(timeline);
    const most = highest(lines);
    setText(this.#most, most === undefined ? "" : `15 min high: ${this.#chart.unit(most)}`);
    const names = lines.map(({ label }) => label).join();
    if (names !== this.#names) this.forget();
    this.#names = names;
    const columns = [timeline.times, ...lines.map(({ values }) => values)] as Columns;
    if (this.#plot === undefined) this.#begin(lines, columns);
    else this.#plot.setData(columns as Plot.AlignedData);
  }

  fit(): void {
    const width = this.#canvas.clientWidth;
    if (this.#plot !== undefined && width > 0 && width !== this.#plot.width)
      this.#plot.setSize({ width, height: HEIGHT });
  }

  forget(): void {
    this.#plot?.destroy();
    this.#plot = undefined;
  }

  #begin(lines: readonly Line[], columns: Columns): void {
    const colours = lines.map((_, index) => this.#chart.colours?.[index] ?? `slot-${index % SLOT_COLOURS}`);
    this.#keys.replaceChildren(...lines.map(({ label }, index) => keyOf(label, colours[index]!)));
    const width = this.#canvas.clientWidth;
    if (width === 0) return;
    const { unit, tick = unit } = this.#chart;
    const options = optionsOf({ lines, colours, width, tick, mark: (plot) => this.#mark(plot) });
    this.#plot = new uPlot(options, columns as Plot.AlignedData, this.#canvas);
  }

  /** Crashes and restarts, as lines from top to bottom: what came before what. */
  #mark(plot: Plot): void {
    const { ctx, bbox } = plot;
    ctx.save();
    for (const { at, event } of this.#events) {
      const isCrash = event.event === "instance-exited" && CRASHES.has(event.reason);
      if (!isCrash && event.event !== "restart-started") continue;
      const x = plot.valToPos(at / 1000, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.fillStyle = colour(isCrash ? "bad" : "busy");
      ctx.globalAlpha = 0.75;
      ctx.fillRect(Math.round(x), bbox.top, devicePixelRatio, bbox.height);
    }
    ctx.restore();
  }
}

const CRASHES = new Set([
  "crashed",
  "start-failed",
  "start-timeout",
  "uncaught",
  "unresponsive",
  "out-of-memory",
  "broken-pipe",
]);

/** A chart is no narrower than this, in seconds: two points would look like a trend. */
const LEAST_SPAN_S = 180;

interface PlotSetup {
  readonly lines: readonly Line[];
  readonly colours: readonly string[];
  readonly width: number;
  readonly tick: (value: number) => string;
  readonly mark: (plot: Plot) => void;
}

function optionsOf({ lines, colours, width, tick, mark }: PlotSetup): Plot.Options {
  const font = "11px system-ui, sans-serif";
  const axis = { stroke: colour("muted"), font, ticks: { show: false } };
  const grid = { stroke: colour("line"), width: 1 };
  return {
    width,
    height: HEIGHT,
    padding: [8, 18, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: "choir" }, points: { size: 6 }, drag: { x: false, y: false } },
    scales: {
      x: { time: true, range: (_, from, to) => [Math.min(from, to - LEAST_SPAN_S), to] },
      y: { range: (_, __, most) => [0, Math.max(most * 1.15, Number.MIN_VALUE) || 1] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        space: 60,
        size: 22,
        incrs: [60, 120, 180, 300, 600],
        values: (_, ticks) => ticks.map(minuteOf),
      },
      { ...axis, grid, space: 34, size: 54, values: (_, ticks) => ticks.map((at) => (at === 0 ? "0" : tick(at))) },
    ],
    series: [
      {},
      ...lines.map(({ label }, index) => ({
        label,
        stroke: colour(colours[index]!),
        width: 1.5,
        points: { show: false },
        ...(index === 0 && colours.length === 2 && { fill: `${colour(colours[0]!)}26` }),
      })),
    ],
    hooks: { draw: [mark] },
  };
}

function minuteOf(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

function keyOf(label: string, name: string): HTMLElement {
  const item = make("li", "", label);
  setData(item, "colour", name);
  return item;
}

/** A colour of style.css. */
function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
