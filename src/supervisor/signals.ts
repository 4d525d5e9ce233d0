/** Turns the supervisor's signals into calls of its methods; decides nothing else. */
import type { Clock } from "../clock.ts";

/** The supervisor's methods that signals call. */
export interface SignalTargets {
  stop(by: string): void;
  forceStop(by: string): void;
  restart(by: string): Promise<unknown>;
  scaleBy(change: number, by: string): Promise<unknown>;
}

export interface SignalSetup {
  readonly clock: Clock;
  /** With a terminal, SIGHUP says that it was closed. */
  readonly hasTerminal: boolean;
  /** Has log files opened anew, for SIGUSR2. */
  readonly reopenLogs: () => void;
}

/** A terminal's Ctrl-C reaches the whole process group, and `npm` passes it on again: within this time it is still the first one. */
const SAME_SIGNAL_MS = 1000;

/** Listens for signals until the process ends. */
export function handleSignals(supervisor: SignalTargets, { clock, hasTerminal, reopenLogs }: SignalSetup): void {
  let firstAt: number | undefined;
  const asked = (signal: string): void => {
    const now = clock.now();
    if (firstAt === undefined) {
      firstAt = now;
      supervisor.stop(signal);
    } else if (now - firstAt > SAME_SIGNAL_MS) {
      supervisor.forceStop(signal);
    }
  };
  process.on("SIGTERM", asked);
  process.on("SIGINT", asked);
  process.on("SIGHUP", () => {
    if (!hasTerminal) void supervisor.restart("SIGHUP");
    // The terminal's SIGHUP may come with a SIGTERM, milliseconds apart: it never counts as the second signal.
    else if (firstAt === undefined) asked("SIGHUP");
  });
  process.on("SIGUSR2", reopenLogs);
  // With a terminal the kernel sends these two to a program in the background that reads or writes.
  if (hasTerminal) return;
  process.on("SIGTTIN", () => void supervisor.scaleBy(1, "SIGTTIN"));
  process.on("SIGTTOU", () => void supervisor.scaleBy(-1, "SIGTTOU"));
}
