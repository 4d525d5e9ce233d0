/** When a log file's next write may begin: after a rest, in which lines collect, or after a failure. Runs in the supervisor; pure. */
import type { Clock } from "../../clock.ts";

/**
 * After a write lines are collected for this many milliseconds, unless many come first: each write is work for two threads, and most of
 * what a flood of short lines would cost.
 */
const REST_MS = 2;
/** How long after a failure the next attempt is made, milliseconds: first and longest. */
export const RETRY_MS = { first: 250, longest: 5000 } as const;

export class Pace {
  readonly #clock: Clock;
  #retryAt = 0;
  #restUntil = 0;
  #attempts = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether it is too early for another attempt. */
  get hasFailed(): boolean {
    return this.#clock.now() < this.#retryAt;
  }

  /** Milliseconds of rest that are left; 0 or less when it is over. */
  get restMs(): number {
    return this.#restUntil - this.#clock.now();
  }

  /** Milliseconds until something may begin. */
  get waitMs(): number {
    return Math.max(this.#retryAt, this.#restUntil) - this.#clock.now();
  }

  succeeded(): void {
    this.#attempts = 0;
    this.#restUntil = this.#clock.now() + REST_MS;
  }

  failed(): void {
    this.#retryAt = this.#clock.now() + Math.min(RETRY_MS.first * 2 ** this.#attempts, RETRY_MS.longest);
    this.#attempts += 1;
  }

  /** Ends every wait. */
  hurry(): void {
    this.#retryAt = 0;
    this.#restUntil = 0;
  }
}
