/** What the kernel says of an instance's main thread: whether it runs, sleeps or is stopped, and its CPU time. Linux only. Runs in the supervisor. */
import { readText, type ReadText } from "../control-groups.ts";

/** `waiting` is for a device, most often the disk or swap, and cannot be interrupted. */
export type ThreadState = "running" | "sleeping" | "waiting" | "stopped" | "unknown";

export interface ThreadSample {
  readonly state: ThreadState;
  /** CPU time since its start, milliseconds. */
  readonly cpuMs: number;
}

/** Looks at the thread that runs JavaScript; undefined where there is no /proc, and when the process is gone. */
export function sampleThread(pid: number, read: ReadText = readText): ThreadSample | undefined {
  const text = read(`/proc/${pid}/task/${pid}/stat`);
  return text === undefined ? undefined : parseThreadStat(text);
}

/** The letters of proc_pid_stat(5). */
const STATES: Readonly<Record<string, ThreadState>> = {
  R: "running",
  S: "sleeping",
  D: "waiting",
  T: "stopped",
  t: "stopped",
};

/** Linux counts in hundredths of a second for user programs, whatever it does inside. */
const MS_PER_TICK = 10;

function parseThreadStat(text: string): ThreadSample | undefined {
  // The second field is the program's name, in brackets, with whatever characters it gave itself.
  const [letter = "", ...fields] = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[10]) + Number(fields[11]);
  return Number.isFinite(ticks) ? { state: STATES[letter] ?? "unknown", cpuMs: ticks * MS_PER_TICK } : undefined;
}
