/**
 * Until when locks hold that the supervisor has to renew elsewhere. Used in both processes: the supervisor says the time, and the instance
 * keeps it itself, since a supervisor that stands still can tell nobody that their locks have ended.
 */
import type { Clock } from "../clock.ts";

/** Milliseconds of the clock that all processes of a machine share, and that nothing sets. */
export function machineNow(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

/** A time of `clock` as one of the machine; not later than that, whatever comes between the two readings. */
export function machineTime(clock: Clock, time: number): number {
  const here = machineNow();
  return here + (time - clock.now());
}

/** The instance's side. */
export class Lease {
  readonly #onEnd: () => void;
  #end = Infinity;
  #timer: NodeJS.Timeout | undefined;

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  /** It holds until then, by `machineNow`. */
  prolong(end: number): void {
    this.#end = end;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#check(), Math.max(0, end - machineNow()));
    this.#timer.unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #check(): void {
    // After what has come meanwhile was read: an instance that was busy for long may find that it was prolonged.
    setImmediate(() => {
      const left = this.#end - machineNow();
      if (left > 0) this.prolong(this.#end);
      else this.#onEnd();
    });
  }
}
