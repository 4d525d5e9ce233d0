/** What was measured, and what is made of it: medians, spans, and Choir's ratio to each of the others. */
import type { Bar, Metric } from "./row.ts";

/** Of a row, what its results are shown with. */
export interface RowHead {
  readonly name: string;
  readonly title: string;
  readonly how: string;
  readonly metrics: readonly Metric[];
}

export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Of each round in which it took part. */
  readonly values: readonly number[];
  /** Choir's figure divided by this one's: the median of the rounds. Missing where it has no meaning. */
  readonly choirRatio?: number;
}

export interface MetricResult extends Metric {
  /** By contestant. */
  readonly of: Readonly<Record<string, Summary>>;
}

export interface RowResult {
  readonly name: string;
  readonly title: string;
  readonly how: string;
  readonly metrics: readonly MetricResult[];
  /** By contestant: why it did not take part, how it failed, or what else there is to know. */
  readonly leftOut: Readonly<Record<string, string>>;
  readonly failed: Readonly<Record<string, string>>;
  readonly notes: Readonly<Record<string, readonly string[]>>;
}

/** A bar of design and whether it is met. */
export interface Verdict extends Bar {
  readonly row: string;
  readonly metric: string;
  readonly ratio: number;
  readonly met: boolean;
}

const CHOIR = "choir";

/** By metric. */
type Figures = Readonly<Record<string, number>>;

/** What was measured of whom, and when. */
interface Trial {
  readonly row: string;
  readonly contestant: string;
  readonly round: number;
}

interface Collected {
  /** By contestant, then by round. */
  readonly figures: Map<string, Map<number, Figures>>;
  readonly leftOut: Record<string, string>;
  readonly failed: Record<string, string>;
  readonly notes: Record<string, string[]>;
}

export class Results {
  readonly #rows = new Map<string, Collected>();

  add({ row, contestant, round }: Trial, figures: Figures): void {
    const { figures: all } = this.#row(row);
    all.set(contestant, (all.get(contestant) ?? new Map<number, Figures>()).set(round, figures));
  }

  leaveOut(row: string, contestant: string, reason: string): void {
    this.#row(row).leftOut[contestant] = reason;
  }

  fail(row: string, contestant: string, error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    this.#row(row).failed[contestant] = text;
    process.stderr.write(`${row} of ${contestant} FAILED: ${error instanceof Error ? error.stack : text}\n`);
  }

  note(row: string, contestant: string, text: string): void {
    (this.#row(row).notes[contestant] ??= []).push(text);
  }

  /** The results of those rows that have any, in the order given. */
  summarise(heads: readonly RowHead[]): RowResult[] {
    return heads.flatMap(({ name, title, how, metrics }) => {
      const row = this.#rows.get(name);
      if (row === undefined) return [];
      const { figures, leftOut, failed, notes } = row;
      return [
        { name, title, how, leftOut, failed, notes, metrics: metrics.map((metric) => ofMetric(metric, figures)) },
      ];
    });
  }

  #row(name: string): Collected {
    const known = this.#rows.get(name);
    if (known !== undefined) return known;
    const row: Collected = { figures: new Map(), leftOut: {}, failed: {}, notes: {} };
    this.#rows.set(name, row);
    return row;
  }
}

function ofMetric(metric: Metric, figures: Collected["figures"]): MetricResult {
  const choir = figures.get(CHOIR);
  const of: Record<string, Summary> = {};
  for (const [contestant, rounds] of figures) {
    const values = [...rounds.values()].map((each) => each[metric.name] ?? Number.NaN);
    // Round by round: what slowed the machine for a while slowed both.
    const ratios = [...rounds]
      .map(([round, each]) => (choir?.get(round)?.[metric.name] ?? Number.NaN) / (each[metric.name] ?? Number.NaN))
      .filter(Number.isFinite);
    of[contestant] = {
      median: median(values),
      min: Math.min(...values),
      max: Math.max(...values),
      values,
      // Counts without a unit, as failures, have no ratio that means anything.
      ...(contestant !== CHOIR && metric.unit !== "" && ratios.length > 0 ? { choirRatio: median(ratios) } : {}),
    };
  }
  return { ...metric, of };
}

/** Whether Choir reaches what it must, as far as that was measured. */
export function judge(rows: readonly RowResult[]): Verdict[] {
  return rows.flatMap((row) =>
    row.metrics.flatMap((metric) =>
      (metric.bars ?? []).flatMap((bar) => {
        const ratio = metric.of[bar.peer]?.choirRatio;
        if (ratio === undefined) return [];
        const met = ratio >= (bar.atLeast ?? -Infinity) && ratio <= (bar.atMost ?? Infinity);
        return [{ ...bar, row: row.name, metric: metric.name, ratio, met }];
      }),
    ),
  );
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}
