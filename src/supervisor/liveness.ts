/**
 * Decides which instances are unresponsive: silent for too long, by a clock that counts only the time in which somebody could have
 * been heard. Pure; runs in the supervisor. What sends the heartbeats is src/instance/heartbeat.ts.
 */
import type { ThreadSample, ThreadState } from "./thread-state.ts";

export interface LivenessRules {
  /** Milliseconds of silence after which an instance is unresponsive; 0 is never. */
  readonly timeout: number;
  /** Milliseconds between two rounds. */
  readonly period: number;
  /** Looks at a process's main thread; undefined where the system does not tell. */
  readonly sample: (pid: number) => ThreadSample | undefined;
}

/** An instance that sends heartbeats. */
export interface Heard {
  readonly uid: string;
  readonly pid: number;
  /** When it was heard last, by `Clock.now()`. */
  readonly heardAt: number;
}

/** What is known of the silence of one instance. */
interface Silence {
  readonly heardAt: number;
  /** What of it counts. */
  readonly ms: number;
  /** How much the supervisor itself was late meanwhile. */
  readonly lateMs: number;
  /** The CPU time that the instance had used when its silence became suspicious. */
  readonly mark: { readonly ms: number; readonly cpuMs: number } | undefined;
}

/** What a round hands to the next one. */
export interface LivenessMemory {
  readonly at: number;
  readonly silences: ReadonlyMap<string, Silence>;
}

export interface Unresponsive {
  readonly uid: string;
  readonly silentMs: number;
  readonly state: ThreadState;
}

/** A silent instance that had less than this share of a CPU was not blocked but starved. */
const STARVED_SHARE = 0.05;
/** The supervisor was late for more than this share of a silence: then others may have been too. */
const LATE_SHARE = 0.2;
/** However starved it looks, after this many timeouts an instance is of no use. */
export const MOST_PATIENCE = 3;

/** One round: counts every instance's silence on, and names those that are unresponsive. */
export function decideLiveness(
  memory: LivenessMemory | undefined,
  { now, instances }: { now: number; instances: Iterable<Heard> },
  rules: LivenessRules,
): { memory: LivenessMemory; unresponsive: Unresponsive[] } {
  const elapsed = memory === undefined ? 0 : now - memory.at;
  const silences = new Map<string, Silence>();
  const unresponsive: Unresponsive[] = [];
  for (const instance of instances) {
    const before = memory?.silences.get(instance.uid);
    const silence = continueSilence(before, instance, { now, elapsed, rules });
    silences.set(instance.uid, silence);
    const verdict = judge(silence, instance, rules);
    if (verdict !== undefined) unresponsive.push(verdict);
  }
  return { memory: { at: now, silences }, unresponsive };
}

function continueSilence(
  before: Silence | undefined,
  { heardAt, pid }: Heard,
  { now, elapsed, rules: { period, timeout, sample } }: { now: number; elapsed: number; rules: LivenessRules },
): Silence {
  if (before === undefined || heardAt > before.heardAt) {
    return { heardAt, ms: Math.min(now - heardAt, elapsed, 2 * period), lateMs: 0, mark: undefined };
  }
  // The machine slept, or this process was stopped or got no CPU: what it did not see is no silence. What came meanwhile is read
  // after this timer, and counts in the next round.
  const ms = before.ms + Math.min(elapsed, 2 * period);
  const lateMs = before.lateMs + Math.max(0, elapsed - period);
  if (before.mark !== undefined || timeout === 0 || ms < timeout / 2) return { ...before, ms, lateMs };
  const cpuMs = sample(pid)?.cpuMs;
  return { heardAt, ms, lateMs, mark: cpuMs === undefined ? undefined : { ms, cpuMs } };
}

function judge(silence: Silence, { uid, pid }: Heard, { timeout, sample }: LivenessRules): Unresponsive | undefined {
  if (timeout === 0 || silence.ms < timeout) return undefined;
  const thread = sample(pid);
  const verdict = { uid, silentMs: silence.ms, state: thread?.state ?? "unknown" };
  if (silence.ms >= MOST_PATIENCE * timeout || thread?.state === "stopped") return verdict;
  return isStarved(silence, thread) ? undefined : verdict;
}

/** A blocked loop either burns a CPU or sleeps in a system call; who wants to run and cannot is not to blame. */
function isStarved({ ms, lateMs, mark }: Silence, thread: ThreadSample | undefined): boolean {
  if (lateMs > LATE_SHARE * ms) return true;
  if (mark === undefined || thread === undefined || mark.ms >= ms) return false;
  const wantsToRun = thread.state === "running" || thread.state === "waiting";
  return wantsToRun && thread.cpuMs - mark.cpuMs < STARVED_SHARE * (ms - mark.ms);
}
