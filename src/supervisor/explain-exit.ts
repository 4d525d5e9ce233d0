/** Says why a process may have ended that nobody here ended: want of memory leaves traces. Runs in the supervisor. */
import type { Clock } from "../clock.ts";
import type { ExitReason } from "../events.ts";
import type { ChildExit } from "./child.ts";

/** What is known beyond code and signal. */
export interface Explanation {
  /** A better reason than "crashed". */
  readonly reason?: ExitReason;
  /** Goes on after "crashed:" or "out of memory:". */
  readonly note: string;
}

export interface ExitTraces {
  /** What V8 wrote to stderr last, if it ended the process. */
  readonly fatalError: string | undefined;
  /** How often the kernel had killed for want of memory when the process began, and when it ended; undefined where nobody counts. */
  readonly oomKillsBefore: number | undefined;
  readonly oomKillsAfter: number | undefined;
}

/** Explains an exit that the supervisor did not cause; undefined when there is nothing to add to code and signal. */
export function explainExit(
  { code, signal }: Pick<ChildExit, "code" | "signal">,
  traces: ExitTraces,
): Explanation | undefined {
  const { fatalError, oomKillsBefore, oomKillsAfter } = traces;
  if (fatalError !== undefined && isAbort({ code, signal })) {
    if (!/out of memory|heap limit/i.test(fatalError)) return { note: fatalError };
    return {
      reason: "out-of-memory",
      note: `its JavaScript heap was full (${fatalError.replace("FATAL ERROR: ", "")})`,
    };
  }
  if (signal !== "SIGKILL") return undefined;
  if (oomKillsBefore === undefined || oomKillsAfter === undefined) return { note: "perhaps out of memory" };
  const kills = oomKillsAfter - oomKillsBefore;
  // A kill of the machine's, in another group, or by a person: the count says only that it was not this group's limit.
  if (kills <= 0)
    return {
      note: "perhaps by a person or out of memory, though the control group counts no OOM kill since its start",
    };
  const times = kills === 1 ? "1 OOM kill" : `${kills} OOM kills`;
  return { reason: "out-of-memory", note: `perhaps out of memory: the control group counts ${times} since its start` };
}

/** V8 ends the process by abort(): the signal, or 134 when a shell stands between. */
function isAbort({ code, signal }: Pick<ChildExit, "code" | "signal">): boolean {
  return signal === "SIGABRT" || signal === "SIGTRAP" || signal === "SIGILL" || code === 134;
}

export interface ExitSources {
  readonly log: { readonly ended: Promise<void>; readonly fatalError: string | undefined };
  /** Counts the kernel's kills for want of memory. */
  readonly countOomKills: () => number | undefined;
  readonly clock: Clock;
}

/** What V8 writes comes by another pipe than the exit: how long it may take, in milliseconds. */
const LAST_LINES_MS = 500;

/** Adds to an exit what explains it. */
export async function explainedExit(exited: Promise<ChildExit>, sources: ExitSources): Promise<ChildExit> {
  const { log, countOomKills, clock } = sources;
  const oomKillsBefore = countOomKills();
  const exit = await exited;
  const isMystery = exit.signal === "SIGKILL" || isAbort(exit);
  if (!isMystery) return exit;
  if (isAbort(exit))
    await Promise.race([log.ended, new Promise<void>((resolve) => clock.after(LAST_LINES_MS, resolve))]);
  const traces = { fatalError: log.fatalError, oomKillsBefore, oomKillsAfter: countOomKills() };
  const explanation = explainExit(exit, traces);
  return explanation === undefined ? exit : { ...exit, explanation };
}
