/** Keeps a fault that comes back all the time from filling the log. Runs in the instance. */
import type { Clock } from "../clock.ts";

/** How many lines are written in each period. */
const MOST = 10;
const PERIOD_MS = 10_000;

/** Lets ten lines in ten seconds through, and at the end of each such period says how many it did not. */
export class LineLimit {
  readonly #clock: Clock;
  readonly #onDropped: (lines: number) => void;
  #lines = 0;

  constructor(clock: Clock, onDropped: (lines: number) => void) {
    this.#clock = clock;
    this.#onDropped = onDropped;
  }

  /** Calls `write`, or counts that it did not. */
  line(write: () => void): void {
    if (this.#lines === 0) this.#clock.after(PERIOD_MS, () => this.#periodOver());
    this.#lines += 1;
    if (this.#lines <= MOST) write();
  }

  #periodOver(): void {
    const dropped = this.#lines - MOST;
    this.#lines = 0;
    if (dropped > 0) this.#onDropped(dropped);
  }
}
