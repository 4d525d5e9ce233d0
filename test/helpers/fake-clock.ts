/** A clock that stands still until a test moves it. Used in unit tests. */
import type { Clock, Timer } from "../../src/clock.ts";

interface Due {
  readonly at: number;
  readonly callback: () => void;
}

export class FakeClock implements Clock {
  #now = 0;
  readonly #start: number;
  #due: Due[] = [];

  constructor(start = 1_800_000_000_000) {
    this.#start = start;
  }

  now(): number {
    return this.#now;
  }

  date(): number {
    return this.#start + this.#now;
  }

  random(): number {
    return 0.5;
  }

  after(ms: number, callback: () => void): Timer {
    const due = { at: this.#now + ms, callback };
    this.#due.push(due);
    return { cancel: () => (this.#due = this.#due.filter((other) => other !== due)) };
  }

  /** How many timers are set. */
  get timers(): number {
    return this.#due.length;
  }

  /** Moves on, calling what falls due on the way, in order. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const next = this.#due.filter((due) => due.at <= until).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#due = this.#due.filter((due) => due !== next);
      this.#now = next.at;
      next.callback();
    }
    this.#now = until;
  }
}
