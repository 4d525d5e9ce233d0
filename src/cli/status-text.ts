/** A snapshot as a person reads it. Used by `choir status`; pure. */
import { describeDuration, describeEvent } from "../describe-event.ts";
import { escapeForTerminal } from "../logs/format/escape.ts";
import type { InstanceSnapshot, SlotSnapshot, Snapshot } from "../supervisor/snapshot.ts";
import { type Column, textTable } from "./text-table.ts";

const COLUMNS: readonly Column[] = [
  { title: "SLOT", right: true },
  { title: "STATE" },
  { title: "GENERATION", right: true },
  { title: "PID", right: true },
  { title: "UPTIME", right: true },
  { title: "RESTARTS", right: true },
  { title: "MEMORY", right: true },
  { title: "REQUESTS", right: true },
  { title: "IN FLIGHT", right: true },
  { title: "LOOP DELAY", right: true },
  { title: "LAST EXIT" },
];

/** What stands where nothing is known. */
const NOTHING = "-";

/** Renders the app in a few lines and one line for each instance; `now` is in milliseconds since the epoch. */
export function statusText(snapshot: Snapshot, now: number): string {
  const rows = snapshot.slots.flatMap((slot) => slotRows(slot, now));
  return `${headLines(snapshot, now).map(escapeForTerminal).join("\n")}\n\n${textTable(COLUMNS, rows)}`;
}

/** What an app is and does, in a few lines. */
export function headLines(
  { name, state, pid, version, ready, instances, urls, ...others }: Snapshot,
  now: number,
): string[] {
  const uptime = describeDuration(Math.max(0, now - Date.parse(others.startedAt)));
  const lines = [
    `${name} is ${state}: ${ready} of ${instances} ready, generation ${others.generation}, up ${uptime}`,
    `supervisor pid ${pid}, Choir ${version}, at ${urls.join(" and ")}`,
  ];
  const { lastRestart, engine } = others;
  if (engine !== null) {
    const { url, peers, waiting } = engine;
    lines.push(
      `${url} is ${engine.state}, other machines: ${peers}, messages that wait: ${waiting}, dropped: ${engine.dropped}`,
    );
  }
  if (lastRestart !== null) lines.push(describeEvent({ event: "restart-finished", ...lastRestart }).message);
  return lines;
}

function slotRows(slot: SlotSnapshot, now: number): string[][] {
  const { instances } = slot;
  if (instances.length === 0)
    return [[String(slot.id), "waiting", ...Array<string>(3).fill(NOTHING), ...endOf(slot, null, now)]];
  return instances.map((instance) => [
    String(slot.id),
    instance.state,
    String(instance.generation),
    String(instance.pid),
    describeDuration(instance.uptimeMs),
    ...endOf(slot, instance.statistics, now),
  ]);
}

/** The columns from RESTARTS on. */
function endOf(slot: SlotSnapshot, statistics: InstanceSnapshot["statistics"], now: number): string[] {
  const figures =
    statistics === null
      ? Array<string>(4).fill(NOTHING)
      : [
          describeBytes(statistics.rss),
          statistics.requests.toLocaleString("en-US"),
          String(statistics.inFlight),
          describeDelay(statistics.loopDelayMax),
        ];
  return [String(slot.restarts), ...figures, lastExitOf(slot, now)];
}

function lastExitOf({ lastExit }: SlotSnapshot, now: number): string {
  if (lastExit === null) return NOTHING;
  const { reason, code, signal, at } = lastExit;
  const how = signal === null ? `exit code ${code}` : signal;
  return `${reason} (${how}) ${describeDuration(Math.max(0, now - Date.parse(at)))} ago`;
}

/** Renders bytes for a person: `58 MB`, `1.2 GB`; powers of 1000, as --max-memory takes them. */
export function describeBytes(bytes: number): string {
  return bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

/** Renders a short time for a person: `0.7 ms`, `1.2 s`. */
export function describeDelay(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : describeDuration(ms);
}
