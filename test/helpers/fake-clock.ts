/** A clock that stands still until a test moves it. */
import type { Clock, Timer } from "../../src/clock.ts";

interface Waiting {
  readonly at: number;
  readonly callback: () => void;
}

export class FakeClock implements Clock {
  #now = 0;
  readonly #waiting = new Set<Waiting>();

  now(): number {
    return this.#now;
  }

  date(): number {
    return this.#now;
  }

  random(): number {
    return 0.5;
  }

  /** How many timers wait. */
  get timers(): number {
    return this.#waiting.size;
  }

  after(ms: number, callback: () => void): Timer {
    const waiting = { at: this.#now + ms, callback };
    this.#waiting.add(waiting);
    return { cancel: () => this.#waiting.delete(waiting) };
  }

  /** Moves on by `ms` and calls what falls due on the way, in order. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#waiting.delete(next);
      this.#now = next.at;
      next.callback();
    }
    this.#now = end;
  }

  #next(end: number): Waiting | undefined {
    let first: Waiting | undefined;
    for (const each of this.#waiting) {
      if (each.at <= end && (first === undefined || each.at < first.at)) first = each;
    }
    return first;
  }
}
