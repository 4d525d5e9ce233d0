/** A picture of the rows that matter most to who chooses a runner: docs/benchmarks.svg. */
import type { MetricResult, RowResult } from "../results.ts";
import { formatNumber } from "./numbers.ts";
import type { Report } from "./report.ts";

/** Rows with the figure of each that is drawn. */
const DRAWN: readonly (readonly [row: string, metric: string])[] = [
  ["keep-alive", "requests"],
  ["new-connection", "requests"],
  ["http2", "requests"],
  ["tls-resumed", "handshakes"],
  ["restart-keep-alive", "failed"],
  ["restart-new-connection", "failed"],
  ["outage", "failed"],
  ["outage", "outage"],
  ["crash", "ms"],
  ["memory-2", "total"],
  ["memory-8-loaded", "total"],
  ["messages-1-3-small", "delivered"],
  ["log-lines", "lines"],
];

const WIDTH = 420;
const BAR = 16;
const LABEL = 170;
const VALUE = 80;
const HEAD = 44;
const GAP = 18;
const COLUMNS = 2;

interface Panel {
  readonly title: string;
  readonly hint: string;
  readonly bars: readonly { readonly label: string; readonly value: number; readonly isChoir: boolean }[];
}

export function renderSvg(report: Report): string {
  const panels = DRAWN.flatMap(([row, metric]) => panelOf(report, row, metric));
  const columns: { height: number; drawn: string[] }[] = Array.from({ length: COLUMNS }, () => ({
    height: 0,
    drawn: [],
  }));
  for (const panel of panels) {
    const column = columns.reduce((lowest, each) => (each.height < lowest.height ? each : lowest));
    column.drawn.push(draw(panel, columns.indexOf(column) * (WIDTH + GAP) + GAP, column.height + GAP));
    column.height += HEAD + panel.bars.length * (BAR + 4) + GAP;
  }
  const [width, height] = [
    COLUMNS * (WIDTH + GAP) + GAP,
    Math.max(...columns.map((each) => each.height)) + 2 * GAP + 14,
  ];
  const { machine, versions, at } = report;
  const foot = `${at.slice(0, 10)}, ${machine.processor}, ${machine.cores} cores, Node.js ${versions["node"] ?? ""}; medians of npm run bench`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...columns.flatMap(({ drawn }) => drawn),
    text({ x: GAP, y: height - GAP / 2, fill: "#666" }, foot),
    "</svg>\n",
  ].join("\n");
}

function panelOf({ rows, titles }: Report, rowName: string, metricName: string): Panel[] {
  const row: RowResult | undefined = rows.find(({ name }) => name === rowName);
  const metric: MetricResult | undefined = row?.metrics.find(({ name }) => name === metricName);
  if (row === undefined || metric === undefined) return [];
  const bars = Object.entries(metric.of).map(([name, { median: value }]) => ({
    label: titles[name] ?? name,
    value,
    isChoir: name === "choir",
  }));
  const what = [metric.title, metric.unit && `(${metric.unit})`].filter(Boolean).join(" ");
  return [{ title: row.title, hint: `${what}, ${metric.better} is better`, bars }];
}

function draw({ title, hint, bars }: Panel, x: number, y: number): string {
  const most = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE);
  const room = WIDTH - LABEL - VALUE;
  const lines = bars.map(({ label, value, isChoir }, index) => {
    const top = y + HEAD + index * (BAR + 4);
    const width = Math.max(1, (value / most) * room);
    const fill = isChoir ? "#0a7d4f" : "#a8b3bd";
    return [
      text({ x: x + LABEL - 8, y: top + 12, anchor: "end", weight: isChoir ? "bold" : "normal" }, label),
      `<rect x="${x + LABEL}" y="${top}" width="${width.toFixed(1)}" height="${BAR}" fill="${fill}"/>`,
      text({ x: x + LABEL + width + 6, y: top + 12 }, formatNumber(value)),
    ].join("\n");
  });
  const head = [text({ x, y: y + 16, weight: "bold" }, title), text({ x, y: y + 32, fill: "#666" }, hint)];
  return [...head, ...lines].join("\n");
}

interface TextStyle {
  readonly x: number;
  readonly y: number;
  readonly anchor?: string;
  readonly weight?: string;
  readonly fill?: string;
}

function text({ x, y, anchor = "start", weight = "normal", fill = "#222" }: TextStyle, content: string): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x.toFixed(1)}" y="${y}" text-anchor="${anchor}" font-weight="${weight}" fill="${fill}">${escaped}</text>`;
}
