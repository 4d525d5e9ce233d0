/**
 * Merges the metrics that the app keeps in each instance with prom-client. What an instance counted stays when it ends. Runs in the
 * supervisor; src/instance/app-metrics.ts is the other side.
 */
import type { Family, MetricType, Sample } from "./family.ts";

/** How the values of several instances become one. */
type Aggregator = "sum" | "first" | "min" | "max" | "average" | "omit";

/** One metric of one instance, as prom-client gives it. */
export interface AppMetric {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  readonly aggregator: Aggregator;
  readonly samples: readonly Sample[];
}

export interface AppMetricsOptions {
  readonly merge: "sum" | "instance";
  /** Samples kept of instances that have ended, at most; default 20,000. */
  readonly mostKept?: number;
}

interface Known {
  readonly slot: number;
  readonly metrics: readonly AppMetric[];
}

const MOST_KEPT = 20_000;

export class AppMetrics {
  readonly #merge: AppMetricsOptions["merge"];
  readonly #mostKept: number;
  /** What each live instance said last. */
  readonly #known = new Map<string, Known>();
  /** What ended instances had counted, by slot. */
  readonly #ended = new Map<number, Merged>();

  constructor({ merge, mostKept = MOST_KEPT }: AppMetricsOptions) {
    this.#merge = merge;
    this.#mostKept = mostKept;
  }

  /** Takes what an instance said. */
  take({ uid, slot }: { uid: string; slot: number }, metrics: readonly AppMetric[]): void {
    this.#known.set(uid, { slot, metrics });
  }

  /** Keeps the counts of those that are not among `live` any more. */
  release(live: ReadonlySet<string>): void {
    for (const [uid, { slot, metrics }] of this.#known) {
      if (live.has(uid)) continue;
      this.#known.delete(uid);
      let ended = this.#ended.get(slot);
      if (ended === undefined) this.#ended.set(slot, (ended = new Merged()));
      for (const metric of metrics) if (isCounting(metric.type)) ended.add(metric, this.#mostKept);
    }
  }

  /** All of it. Names in `taken` are left out: two metrics of one name would spoil both. */
  families(taken: ReadonlySet<string>): Family[] {
    const merged = new Merged();
    const labelsOf = (slot: number): Sample["labels"] => (this.#merge === "sum" ? {} : { instance: String(slot) });
    const add = (metric: AppMetric, slot: number): void => merged.add(withLabels(metric, labelsOf(slot)));
    for (const [slot, ended] of this.#ended) for (const metric of ended.metrics()) add(metric, slot);
    for (const { slot, metrics } of this.#known.values()) for (const metric of metrics) add(metric, slot);
    return merged.families(taken, this.#merge === "instance");
  }
}

/** Whether values only ever rise, and what an ended instance had still counts. */
function isCounting(type: MetricType): boolean {
  return type === "counter" || type === "histogram" || type === "summary";
}

function withLabels(metric: AppMetric, more: Sample["labels"]): AppMetric {
  return { ...metric, samples: metric.samples.map((sample) => ({ ...sample, labels: { ...more, ...sample.labels } })) };
}

interface MergedSample extends Sample {
  value: number;
  times: number;
}

interface MergedMetric extends Omit<AppMetric, "samples"> {
  readonly samples: Map<string, MergedSample>;
}

/** Metrics of several instances, added up. */
class Merged {
  readonly #metrics = new Map<string, MergedMetric>();
  #size = 0;

  /** Adds one; new samples beyond `most` are left out. */
  add({ samples, ...metric }: AppMetric, most = Infinity): void {
    let known = this.#metrics.get(metric.name);
    if (known === undefined) this.#metrics.set(metric.name, (known = { ...metric, samples: new Map() }));
    // Another app's code after a rolling restart may mean another thing by the same name: the newest says what it is.
    if (known.type !== metric.type) return;
    for (const sample of samples) {
      const key = `${sample.suffix ?? ""}${JSON.stringify(Object.entries(sample.labels).toSorted(([a], [b]) => (a < b ? -1 : 1)))}`;
      const same = known.samples.get(key);
      if (same !== undefined) {
        same.value = combine(isCounting(metric.type) ? "sum" : metric.aggregator, same, sample.value);
        same.times += 1;
      } else if (this.#size < most) {
        known.samples.set(key, { ...sample, times: 1 });
        this.#size += 1;
      }
    }
  }

  *metrics(): Generator<AppMetric> {
    for (const metric of this.#metrics.values()) yield { ...metric, samples: [...metric.samples.values()] };
  }

  families(taken: ReadonlySet<string>, perInstance: boolean): Family[] {
    const names = new Set(taken);
    return [...this.#metrics.values()].flatMap(({ name, type, help, aggregator, samples }) => {
      const family = type === "counter" ? name.replace(/_total$/, "") : name;
      if (names.has(family) || (aggregator === "omit" && !perInstance && !isCounting(type))) return [];
      names.add(family);
      const all = [...samples.values()];
      // Quantiles of several instances cannot be added, nor told apart.
      const shown =
        type === "summary" && !perInstance ? all.filter(({ labels }) => labels["quantile"] === undefined) : all;
      return [{ name: family, type, help, samples: shown }];
    });
  }
}

function combine(aggregator: Aggregator, { value: known, times }: MergedSample, value: number): number {
  return COMBINATIONS[aggregator](known, value, times);
}

/** `times` is how many values have become `known`. */
const COMBINATIONS: Readonly<Record<Aggregator, (known: number, value: number, times: number) => number>> = {
  sum: (known, value) => known + value,
  omit: (known, value) => known + value,
  first: (known) => known,
  min: (known, value) => Math.min(known, value),
  max: (known, value) => Math.max(known, value),
  average: (known, value, times) => (known * times + value) / (times + 1),
};
