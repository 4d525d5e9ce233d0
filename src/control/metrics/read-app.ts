/**
 * Reads what an instance says of its app's metrics. It comes from the app's process, so nothing is taken for granted: what is no metric
 * is left out, and one broken metric spoils no other. Runs in the supervisor; pure.
 */
import type { AppMetric } from "./app.ts";
import type { MetricType, Sample } from "./family.ts";

const NAME = /^[A-Za-z_:][A-Za-z0-9_:]*$/;
const LABEL = /^[A-Za-z_][A-Za-z0-9_]*$/;
const TYPES: ReadonlySet<string> = new Set(["counter", "gauge", "histogram", "summary"]);
const AGGREGATORS: ReadonlySet<string> = new Set(["sum", "first", "min", "max", "average", "omit"]);
const SUFFIXES: ReadonlySet<string> = new Set(["_bucket", "_sum", "_count", "_total"]);

/** Most samples of one instance. */
const MOST_SAMPLES = 50_000;

type Fields = Readonly<Record<string, unknown>>;

/** Reads the JSON of `getMetricsAsJSON()`; throws only when it is no JSON array. */
export function readAppMetrics(json: string): AppMetric[] {
  const list: unknown = JSON.parse(json);
  if (!Array.isArray(list)) throw new TypeError("The app's metrics are no list");
  let left = MOST_SAMPLES;
  return list.flatMap((item: unknown) => {
    const metric = isObject(item) ? readMetric(item) : undefined;
    if (metric === undefined || metric.samples.length > left) return [];
    left -= metric.samples.length;
    return [metric];
  });
}

function readMetric({ name, help, type, aggregator, values }: Fields): AppMetric | undefined {
  if (typeof name !== "string" || !NAME.test(name) || !Array.isArray(values)) return undefined;
  const known = typeof type === "string" && TYPES.has(type) ? (type as MetricType) : "unknown";
  return {
    name,
    help: typeof help === "string" ? help : "",
    type: known,
    aggregator:
      typeof aggregator === "string" && AGGREGATORS.has(aggregator) ? (aggregator as AppMetric["aggregator"]) : "sum",
    samples: values.flatMap((value: unknown) => {
      const sample = isObject(value) ? readSample(value, name, known) : undefined;
      return sample === undefined ? [] : [sample];
    }),
  };
}

function readSample({ value, labels, metricName }: Fields, name: string, type: MetricType): Sample | undefined {
  const number = numberOf(value);
  if (number === undefined) return undefined;
  const given = typeof metricName === "string" && metricName.startsWith(name) ? metricName.slice(name.length) : "";
  const suffix = SUFFIXES.has(given) && type !== "counter" ? given : "";
  const pairs = isObject(labels) ? Object.entries(labels) : [];
  if (pairs.some(([label]) => !LABEL.test(label))) return undefined;
  return {
    ...(suffix === "" ? {} : { suffix }),
    labels: Object.fromEntries(pairs.map(([label, text]) => [label, labelText(text)])),
    value: number,
  };
}

/** Infinities and NaN travel as text. */
function numberOf(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  return value === "Infinity" || value === "-Infinity" || value === "NaN" ? Number(value) : undefined;
}

/** prom-client has the last bucket's bound as a text or a number. */
function labelText(text: unknown): string {
  if (text === Infinity || text === "Infinity") return "+Inf";
  return typeof text === "string" ? text : String(text);
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}
