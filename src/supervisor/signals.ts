/** Turns the supervisor's signals into calls of its methods; decides nothing else. */
import type { Clock } from "../clock.ts";

export interface SignalTargets {
  stop(by: string): void;
  forceStop(by: string): void;
}

export interface SignalSetup {
  readonly clock: Clock;
  /** With a terminal, SIGHUP says that it was closed. */
  readonly hasTerminal: boolean;
}

/** A terminal's Ctrl-C reaches the whole process group, and `npm` passes it on again: within this time it is still the first one. */
const SAME_SIGNAL_MS = 1000;

/** Listens for signals until the process ends. */
export function handleSignals(targets: SignalTargets, setup: SignalSetup): void {
  let firstAt: number | undefined;
  const asked = (signal: string): void => {
    const now = setup.clock.now();
    if (firstAt === undefined) {
      firstAt = now;
      targets.stop(signal);
    } else if (now - firstAt > SAME_SIGNAL_MS) {
      targets.forceStop(signal);
    }
  };
  process.on("SIGTERM", asked);
  process.on("SIGINT", asked);
  process.on("SIGHUP", () => {
    // The terminal's SIGHUP may come with a SIGTERM, milliseconds apart: it never counts as the second signal.
    if (setup.hasTerminal && firstAt === undefined) asked("SIGHUP");
  });
  // Without a handler Node ends at SIGUSR2; log files are reopened by it once there are any.
  process.on("SIGUSR2", () => {});
}
