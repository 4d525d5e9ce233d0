/** The table of slots, row by row as text: one row for each process. Runs in the browser; pure. */
import { describeDuration } from "../../../describe-event.ts";
import type { InstanceSnapshot, SlotSnapshot } from "../../../supervisor/snapshot.ts";
import type { PageState } from "./state.ts";
import { ago, bytes, delay, NOTHING, percent, rate, roughly } from "./words.ts";

export type CellName =
  | "state"
  | "generation"
  | "pid"
  | "uptime"
  | "restarts"
  | "requests"
  | "p50"
  | "p99"
  | "inFlight"
  | "loop"
  | "cpu"
  | "memory"
  | "lastExit";

export interface SlotRow {
  /** Stays the same as long as the row is about the same process. */
  readonly key: string;
  readonly slot: number;
  /** Whether it is the first of its slot. */
  readonly isFirst: boolean;
  readonly tone: "good" | "warn" | "bad" | "busy" | "muted";
  readonly cells: Readonly<Record<CellName, string>>;
  /** Cells that want to be seen. */
  readonly alarming: ReadonlySet<CellName>;
}

const SILENT_MS = 3000;
const SLOW_LOOP_MS = 200;
const BUSY_CPU = 0.9;

/** All rows, in the order of the slots. */
export function slotRows({ snapshot, respawns }: PageState, now: number): readonly SlotRow[] {
  if (snapshot === undefined) return [];
  return snapshot.slots.flatMap((slot) => {
    if (slot.instances.length === 0) return [vacantRow(slot, respawns.get(slot.id), now)];
    return slot.instances.map((instance, index) => instanceRow(slot, instance, { isFirst: index === 0, now }));
  });
}

const NO_FIGURES = {
  requests: NOTHING,
  p50: NOTHING,
  p99: NOTHING,
  inFlight: NOTHING,
  loop: NOTHING,
  cpu: NOTHING,
  memory: NOTHING,
};

function vacantRow(slot: SlotSnapshot, respawnAt: number | undefined, now: number): SlotRow {
  const wait = respawnAt === undefined || respawnAt <= now ? "" : `, next try in ${roughly(respawnAt - now)}`;
  return {
    key: `${slot.id}`,
    slot: slot.id,
    isFirst: true,
    tone: "bad",
    alarming: new Set(["state", "lastExit"]),
    cells: {
      ...NO_FIGURES,
      state: `down${wait}`,
      generation: NOTHING,
      pid: NOTHING,
      uptime: NOTHING,
      ...endOf(slot, now),
    },
  };
}

function instanceRow(
  slot: SlotSnapshot,
  instance: InstanceSnapshot,
  { isFirst, now }: { readonly isFirst: boolean; readonly now: number },
): SlotRow {
  const silent = isSilent(instance);
  return {
    key: `${slot.id} ${instance.pid}`,
    slot: slot.id,
    isFirst,
    tone: toneOf(instance),
    alarming: alarmsOf(isFirst ? slot.lastExit : null, instance, now),
    cells: {
      ...figuresOf(instance),
      state: silent ? `silent for ${roughly(instance.heardMs ?? 0)}` : instance.state,
      generation: String(instance.generation),
      pid: String(instance.pid),
      uptime: describeDuration(Math.floor(instance.uptimeMs / 1000) * 1000),
      ...(isFirst ? endOf(slot, now) : { restarts: "", lastExit: "" }),
    },
  };
}

function figuresOf({ traffic, statistics }: InstanceSnapshot): typeof NO_FIGURES {
  if (statistics === null) return NO_FIGURES;
  return {
    requests: rate(traffic.requestsPerSecond),
    p50: delay(traffic.p50Ms),
    p99: delay(traffic.p99Ms),
    inFlight: String(statistics.inFlight),
    loop: delay(statistics.loopDelayMax),
    cpu: percent(statistics.cpu),
    memory: bytes(statistics.rss),
  };
}

function endOf({ restarts, lastExit }: SlotSnapshot, now: number): { restarts: string; lastExit: string } {
  if (lastExit === null) return { restarts: String(restarts), lastExit: NOTHING };
  const { reason, code, signal, at } = lastExit;
  const how = signal ?? `code ${code}`;
  return { restarts: String(restarts), lastExit: `${reason} (${how}) ${ago(now - Date.parse(at))}` };
}

function toneOf(instance: InstanceSnapshot): SlotRow["tone"] {
  if (isSilent(instance)) return "bad";
  if (instance.state === "ready") return "good";
  return instance.state === "starting" ? "busy" : "muted";
}

function isSilent({ state, heardMs }: InstanceSnapshot): boolean {
  return state === "ready" && heardMs !== null && heardMs > SILENT_MS;
}

/** Ends that are part of a restart or of a limit are no news. */
const EXPECTED = new Set(["asked", "replaced", "left", "max-requests", "max-age", "max-memory", "heap"]);
const RECENT_MS = 300_000;

function alarmsOf(lastExit: SlotSnapshot["lastExit"], instance: InstanceSnapshot, now: number): ReadonlySet<CellName> {
  const { statistics } = instance;
  const alarms = new Set<CellName>();
  if (isSilent(instance)) alarms.add("state");
  if (lastExit !== null && !EXPECTED.has(lastExit.reason) && now - Date.parse(lastExit.at) < RECENT_MS)
    alarms.add("lastExit");
  if (statistics !== null && statistics.loopDelayMax >= SLOW_LOOP_MS) alarms.add("loop");
  if (statistics !== null && statistics.cpu >= BUSY_CPU) alarms.add("cpu");
  if (statistics !== null && statistics.heapFill >= BUSY_CPU) alarms.add("memory");
  return alarms;
}
