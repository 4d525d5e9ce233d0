/** A snapshot as `choir top` shows it: what the app does now, and each instance in a line. Pure. */
import { describeDuration } from "../describe-event.ts";
import { escapeForTerminal } from "../logs/format/escape.ts";
import type { InstanceSnapshot, SlotSnapshot, Snapshot, Traffic } from "../supervisor/snapshot.ts";
import { describeBytes, describeDelay, headLines } from "./status-text.ts";
import { type Column, textTable } from "./text-table.ts";

export interface FrameOptions {
  readonly columns: number;
  readonly rows: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

interface TopColumn extends Column {
  readonly of: (instance: InstanceSnapshot, slot: SlotSnapshot) => string;
}

const NOTHING = "-";

/** In the order of their weight: a narrow terminal shows the first ones. */
const COLUMNS: readonly TopColumn[] = [
  { title: "SLOT", right: true, of: (_, { id }) => String(id) },
  { title: "STATE", of: (instance) => stateOf(instance) },
  { title: "REQ/S", right: true, of: ({ traffic }) => rate(traffic.requestsPerSecond) },
  { title: "P50", right: true, of: ({ traffic }) => delay(traffic.p50Ms) },
  { title: "P99", right: true, of: ({ traffic }) => delay(traffic.p99Ms) },
  {
    title: "IN FLIGHT",
    right: true,
    of: ({ statistics }) => (statistics === null ? NOTHING : String(statistics.inFlight)),
  },
  { title: "LOOP", right: true, of: ({ statistics }) => delay(statistics?.loopDelayMax ?? null) },
  { title: "CPU", right: true, of: ({ statistics }) => (statistics === null ? NOTHING : percent(statistics.cpu)) },
  {
    title: "MEMORY",
    right: true,
    of: ({ statistics }) => (statistics === null ? NOTHING : describeBytes(statistics.rss)),
  },
  {
    title: "HEAP",
    right: true,
    of: ({ statistics }) => (statistics === null ? NOTHING : percent(statistics.heapFill)),
  },
  { title: "ERR/S", right: true, of: ({ traffic }) => rate(traffic.errorsPerSecond) },
  { title: "RESTARTS", right: true, of: (_, { restarts }) => String(restarts) },
  { title: "UPTIME", right: true, of: ({ uptimeMs }) => describeDuration(uptimeMs) },
  { title: "GEN", right: true, of: ({ generation }) => String(generation) },
  { title: "PID", right: true, of: ({ pid }) => String(pid) },
];

/** Heartbeats come once a second: after so many milliseconds without one, what is shown is old. */
const SILENT_MS = 3000;

/** Renders the lines of one picture. */
export function topFrame(snapshot: Snapshot, { columns, rows, now }: FrameOptions): string[] {
  const head = [...headLines(snapshot, now), trafficLine(snapshot), ""].map(escapeForTerminal);
  const table = fittingTable(snapshot, columns);
  const room = Math.max(1, rows - head.length - 2);
  const hidden = table.length - 1 - room;
  const shown = hidden > 0 ? [...table.slice(0, room), `… ${hidden + 1} more`] : table;
  return [...head, ...shown];
}

function trafficLine({ traffic, slots }: Snapshot): string {
  const statistics = slots.flatMap(({ instances }) => instances.flatMap((each) => each.statistics ?? []));
  const cpu = statistics.reduce((sum, each) => sum + each.cpu, 0);
  const rss = statistics.reduce((sum, each) => sum + each.rss, 0);
  const inFlight = statistics.reduce((sum, each) => sum + each.inFlight, 0);
  return [...ratesOf(traffic), `${inFlight} in flight`, `CPU ${percent(cpu)}`, `memory ${describeBytes(rss)}`].join(
    " · ",
  );
}

function ratesOf(traffic: Traffic): string[] {
  const { requestsPerSecond, errorsPerSecond, p50Ms, p99Ms } = traffic;
  return [
    `${rate(requestsPerSecond)} requests/s`,
    `${rate(errorsPerSecond)} errors/s`,
    `p50 ${delay(p50Ms)}`,
    `p99 ${delay(p99Ms)}`,
  ];
}

/** As many columns as there is room for. */
function fittingTable({ slots }: Snapshot, width: number): string[] {
  for (let count = COLUMNS.length; ; count -= 1) {
    const columns = COLUMNS.slice(0, count);
    const lines = textTable(
      columns,
      slots.flatMap((slot) => rowsOf(slot, columns)),
    )
      .trimEnd()
      .split("\n");
    if (count === 2 || lines.every((line) => line.length <= width)) return lines;
  }
}

function rowsOf(slot: SlotSnapshot, columns: readonly TopColumn[]): string[][] {
  if (slot.instances.length === 0)
    return [columns.map(({ title }) => (title === "SLOT" ? String(slot.id) : title === "STATE" ? "waiting" : NOTHING))];
  return slot.instances.map((instance) => columns.map(({ of }) => of(instance, slot)));
}

function stateOf({ state, heardMs }: InstanceSnapshot): string {
  return heardMs !== null && heardMs > SILENT_MS ? `${state}, silent ${describeDuration(heardMs)}` : state;
}

function rate(perSecond: number): string {
  return perSecond < 10 && perSecond > 0 ? perSecond.toFixed(1) : Math.round(perSecond).toLocaleString("en-US");
}

function delay(ms: number | null): string {
  if (ms === null) return NOTHING;
  return ms < 1 ? `${ms.toFixed(2)} ms` : describeDelay(ms);
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
