/**
 * What the app did in the last minutes, for a page that is opened when something has already gone wrong. Runs in the supervisor with
 * --dashboard only; bounded.
 */
import type { Clock, Timer } from "../../clock.ts";
import type { ChoirEvent } from "../../events.ts";
import type { Snapshot } from "../../supervisor/snapshot.ts";
import { type HistoryReport, type PastEvent, type Sample, sampleOf } from "./sample.ts";

export interface HistorySource {
  snapshot(): Snapshot;
  follow(listener: (event: ChoirEvent) => void): () => void;
}

/** Between two samples, in milliseconds. */
const SAMPLE_MS = 2000;
/** A quarter of an hour. */
const MOST_SAMPLES = 450;
const MOST_EVENTS = 200;

export class History {
  readonly #source: HistorySource;
  readonly #clock: Clock;
  readonly #samples: Sample[] = [];
  readonly #events: PastEvent[] = [];
  readonly #unfollow: () => void;
  #timer: Timer;

  /** Begins to keep them. */
  constructor(source: HistorySource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
    this.#unfollow = source.follow((event) => this.#note(event));
    this.#timer = this.#next();
  }

  report(): HistoryReport {
    return { now: this.#clock.date(), samples: this.#samples, events: this.#events };
  }

  stop(): void {
    this.#timer.cancel();
    this.#unfollow();
  }

  #next(): Timer {
    return this.#clock.after(SAMPLE_MS, () => {
      this.#timer = this.#next();
      this.#samples.push(sampleOf(this.#source.snapshot(), this.#clock.date()));
      if (this.#samples.length > MOST_SAMPLES) this.#samples.shift();
    });
  }

  #note(event: ChoirEvent): void {
    this.#events.push({ at: this.#clock.date(), event });
    if (this.#events.length > MOST_EVENTS) this.#events.shift();
  }
}
