/** What the charts draw: samples of the last minutes as columns. Runs in the browser; pure. */
import type { Sample } from "../sample.ts";

/** A column has a value or null for each moment; the first one is of times, in seconds since the epoch, as uPlot takes them. */
export type Columns = readonly [times: number[], ...values: (number | null)[][]];

/** A line of a chart. */
export interface Line {
  readonly label: string;
  readonly values: (number | null)[];
}

/** How long a quarter of an hour is, in milliseconds. */
const KEPT_MS = 900_000;
/** No sample for so long, in milliseconds: the line is broken there, since nobody knows what was. */
const GAP_MS = 8000;
/** More samples than one in so many milliseconds are more than a chart has points. */
const LEAST_MS = 900;
/** More slots than this are not told apart by colours. */
const MOST_LINES = 8;

export class Timeline {
  #samples: Sample[] = [];

  /** Begins anew. */
  reset(samples: readonly Sample[]): void {
    this.#samples = [];
    for (const sample of samples) this.add(sample);
  }

  add(sample: Sample): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && sample.at < last.at + LEAST_MS) return;
    if (last !== undefined && sample.at - last.at > GAP_MS) this.#samples.push(hole(last.at + 1));
    this.#samples.push(sample);
    const from = this.#samples.findIndex(({ at }) => at > sample.at - KEPT_MS);
    if (from > 0) this.#samples.splice(0, from);
  }

  get times(): number[] {
    return this.#samples.map(({ at }) => at / 1000);
  }

  /** A line of one figure of all. */
  line(label: string, of: (sample: Sample) => number | null): Line {
    return { label, values: this.#samples.map((sample) => (Number.isNaN(sample.requests) ? null : of(sample))) };
  }

  /** A line for each slot; where there are many, their highest, middle and lowest values. `place` is where a figure is in a slot's sample. */
  perSlot(place: 1 | 2): Line[] {
    const ids = [...new Set(this.#samples.flatMap(({ slots }) => slots.map(([id]) => id)))].toSorted((a, b) => a - b);
    if (ids.length <= MOST_LINES) {
      return ids.map((id) => this.line(`slot ${id}`, ({ slots }) => slots.find(([of]) => of === id)?.[place] ?? null));
    }
    const ranked = ({ slots }: Sample): number[] =>
      slots.flatMap((slot) => slot[place] ?? []).toSorted((a, b) => a - b);
    return [
      this.line("highest", (sample) => ranked(sample).at(-1) ?? null),
      this.line("middle", (sample) => middle(ranked(sample))),
      this.line("lowest", (sample) => ranked(sample)[0] ?? null),
    ];
  }
}

/** The highest value of some lines; undefined when there is none. */
export function highest(lines: readonly Line[]): number | undefined {
  const values = lines.flatMap(({ values }) => values.filter((value) => value !== null));
  return values.length === 0 ? undefined : values.reduce((most, value) => Math.max(most, value));
}

function middle(ranked: readonly number[]): number | null {
  return ranked[Math.floor(ranked.length / 2)] ?? null;
}

/** A moment of which nothing is known. */
function hole(at: number): Sample {
  return { at, requests: Number.NaN, errors: Number.NaN, p50: null, p99: null, slots: [] };
}
