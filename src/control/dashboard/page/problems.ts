/** What is wrong, the worst first: what somebody who was woken up has to read. Runs in the browser; pure. */
import { describeEvent } from "../../../describe-event.ts";
import type { ChoirEvent, ExitReason } from "../../../events.ts";
import type { InstanceSnapshot, SlotSnapshot, Snapshot, Traffic } from "../../../supervisor/snapshot.ts";
import type { PastEvent } from "../sample.ts";
import type { Exited, PageState, Rollout } from "./state.ts";
import { ago, count, delay, percent, rate, roughly } from "./words.ts";

/** `busy` is no problem: something is under way. */
export type Tone = "bad" | "warn" | "busy" | "good";

export interface Problem {
  readonly tone: Tone;
  readonly text: string;
  /** A sentence more. */
  readonly more?: string;
}

/** Heartbeats come once a second: after so many milliseconds without one, the event loop is blocked. */
const SILENT_MS = 3000;
/** A loop that is held up for so long is felt by users. In milliseconds. */
const SLOW_LOOP_MS = 1000;
const FULL_HEAP = 0.9;
/** Crashes in this time make a loop, and for so long a crash is worth a word. In milliseconds. */
const CRASHES_MS = 300_000;
const CRASH_MS = 120_000;
const LOOP_CRASHES = 3;

/** Ends that nobody asked for. */
const UNASKED: ReadonlySet<ExitReason> = new Set([
  "crashed",
  "start-failed",
  "start-timeout",
  "uncaught",
  "broken-pipe",
  "unresponsive",
  "out-of-memory",
]);

/** What it is called when an instance ends for a reason. */
const ENDS: Readonly<Partial<Record<ExitReason, string>>> = {
  crashed: "crashed",
  "start-failed": "failed to start",
  "start-timeout": "was not ready in time",
  uncaught: "had an uncaught error",
  "broken-pipe": "broke its pub/sub pipe",
  unresponsive: "was blocked and killed",
  "out-of-memory": "ran out of memory",
};

/** All problems, the worst first; empty when all is well. */
export function problemsOf(state: PageState, now: number): readonly Problem[] {
  const { snapshot } = state;
  if (snapshot === undefined) return [];
  const restart = ofRestart(snapshot, state, now);
  const isFresh = now - (state.rollout?.end?.at ?? 0) < CRASHES_MS;
  const problems = [
    ...ofApp(snapshot, state),
    // One of days ago is still to be mended, and what is new comes first.
    ...(isFresh ? restart : []),
    ...snapshot.slots.flatMap((slot) => ofSlot(slot, state, now)),
    ...ofTraffic(snapshot.traffic),
    ...(isFresh ? [] : restart),
    ...standing(state.events),
  ];
  const order: readonly Tone[] = ["bad", "warn", "busy", "good"];
  return problems.toSorted((a, b) => order.indexOf(a.tone) - order.indexOf(b.tone));
}

/** The one line that says it all. */
export function headlineOf(state: PageState, now: number): Problem {
  const { snapshot } = state;
  if (snapshot === undefined) return { tone: "busy", text: "Waiting for the supervisor" };
  const [worst] = problemsOf(state, now);
  if (worst !== undefined) return worst;
  const { instances, ready } = snapshot;
  const all = instances === 1 ? "The one instance is ready" : `All ${instances} instances are ready`;
  return { tone: "good", text: ready >= instances ? all : `${ready} of ${instances} instances are ready` };
}

function ofApp({ state, ready, instances, slots }: Snapshot, { events }: PageState): Problem[] {
  if (state === "stopping") return [{ tone: "busy", text: "Stopping: instances finish their open requests" }];
  if (ready > 0) return [];
  const isFirst = slots.every(({ restarts, lastExit }) => restarts === 0 && lastExit === null);
  if (isFirst && !events.some(({ event }) => event.event === "instance-start-failed"))
    return [{ tone: "busy", text: `Starting ${count(instances, "instance")}` }];
  return [{ tone: "bad", text: "No instance is ready", more: "Connections wait in the kernel's queue until one is" }];
}

function ofSlot(slot: SlotSnapshot, { events, respawns, rollout }: PageState, now: number): Problem[] {
  const crashes = crashesOf(slot.id, events, now).filter(({ event }) => !isOnTrial(event, rollout));
  const serving = slot.instances.filter(({ state }) => state === "ready");
  const health = serving.flatMap((instance) => ofInstance(slot.id, instance));
  const last = crashes.at(-1);
  if (last === undefined) return health;
  const what = `Slot ${slot.id} ${ENDS[last.event.reason] ?? "ended"}`;
  const times = crashes.length >= LOOP_CRASHES ? ` ${crashes.length} times in ${roughly(now - crashes[0]!.at)}` : "";
  const next = respawns.get(slot.id);
  const wait = next === undefined || next <= now ? "its replacement starts" : `next try in ${roughly(next - now)}`;
  if (serving.length === 0)
    return [{ tone: "bad", text: `${what}${times}, and nothing serves there`, more: `${howOf(last.event)}; ${wait}` }];
  const more = `${howOf(last.event)}; its replacement serves`;
  if (times !== "") return [{ tone: "bad", text: `${what}${times}`, more }, ...health];
  return now - last.at > CRASH_MS ? health : [{ tone: "warn", text: `${what} ${ago(now - last.at)}`, more }, ...health];
}

/** A newcomer of a restart that was taken back, or may be: its end is the restart's failure, and the slot serves on. */
function isOnTrial({ generation }: Exited, rollout: Rollout | undefined): boolean {
  return generation === rollout?.generation && (rollout.end === undefined || rollout.end.event.outcome === "failed");
}

type Crash = PastEvent & { readonly event: Exited };

function crashesOf(slot: number, events: readonly PastEvent[], now: number): Crash[] {
  return events.filter(
    (past): past is Crash =>
      past.event.event === "instance-exited" &&
      past.event.instance === slot &&
      UNASKED.has(past.event.reason) &&
      now - past.at < CRASHES_MS,
  );
}

function howOf({ code, signal, note, uptimeMs }: Exited): string {
  const how = signal === null ? `Exit code ${code}` : `Killed by ${signal}`;
  return `${how}${note === undefined ? "" : ` (${note})`} after ${roughly(uptimeMs)}`;
}

function ofInstance(slot: number, { heardMs, statistics }: InstanceSnapshot): Problem[] {
  if (heardMs !== null && heardMs > SILENT_MS) {
    const text = `Slot ${slot} has been silent for ${roughly(heardMs)}: its event loop is blocked`;
    return [{ tone: "bad", text, more: "Its stack will be in the log when it is killed at --unresponsive-timeout" }];
  }
  if (statistics === null) return [];
  const { loopDelayMax, heapFill } = statistics;
  return [
    ...(loopDelayMax >= SLOW_LOOP_MS
      ? [{ tone: "warn", text: `The event loop of slot ${slot} was held up for ${delay(loopDelayMax)}` } as const]
      : []),
    ...(heapFill >= FULL_HEAP
      ? [{ tone: "warn", text: `The JavaScript heap of slot ${slot} is ${percent(heapFill)} full` } as const]
      : []),
  ];
}

function ofTraffic({ requestsPerSecond, errorsPerSecond, abortedPerSecond }: Traffic): Problem[] {
  const failed = errorsPerSecond + abortedPerSecond;
  const share = failed / Math.max(requestsPerSecond, 0.01);
  // One error in a quiet night is in the chart, and no reason to wake anybody up.
  if (share < 0.01 || failed < 0.5) return [];
  const text = `${percent(Math.min(1, share))} of the answers are errors: ${rate(failed)} a second`;
  return [{ tone: share < 0.1 ? "warn" : "bad", text, more: "Status 500 and above, or cut short" }];
}

function ofRestart(
  { state, lastRestart, generation, slots }: Snapshot,
  { rollout }: PageState,
  now: number,
): Problem[] {
  if (state === "restarting") {
    const newest = Math.max(generation, ...slots.flatMap(({ instances }) => instances.map((each) => each.generation)));
    return [
      { tone: "busy", text: newest > generation ? `Rolling restart to generation ${newest}` : "Rolling restart" },
    ];
  }
  if (lastRestart === null || (lastRestart.outcome !== "failed" && lastRestart.outcome !== "mixed")) return [];
  const { outcome, error = "" } = lastRestart;
  const when = rollout?.end === undefined ? "" : ` ${ago(now - rollout.end.at)}`;
  const text = `The last restart failed${when}${outcome === "failed" ? ": the code of before serves" : ", and not every slot has its old code back"}`;
  return [{ tone: outcome === "mixed" ? "bad" : "warn", text, more: error }];
}

/** Which event ends the trouble that another one tells of. */
const ENDED_BY: Readonly<Partial<Record<ChoirEvent["event"], ChoirEvent["event"]>>> = {
  "engine-unreachable": "engine-connected",
  "certificate-refused": "certificate-loaded",
  "certificate-expiring": "certificate-loaded",
  "log-file-failed": "log-file-recovered",
};

/** Troubles that last until something says that they are over. */
function standing(events: readonly PastEvent[]): Problem[] {
  const open = new Map<string, ChoirEvent>();
  for (const { event } of events) {
    const file = "file" in event ? event.file : "";
    if (event.event in ENDED_BY) open.set(`${ENDED_BY[event.event]} ${file}`, event);
    else open.delete(`${event.event} ${file}`);
  }
  return [...open.values()].map((event) => {
    const { level, message, detail } = describeEvent(event);
    return { tone: level === "error" ? "bad" : "warn", text: message, ...(detail !== undefined && { more: detail }) };
  });
}
