/** Metrics as data, and the two texts that Prometheus reads. Runs in the supervisor; pure. */

export type MetricType = "counter" | "gauge" | "histogram" | "summary" | "unknown";

export interface Sample {
  /** What follows the family's name: of a histogram `_bucket`, `_sum` or `_count`. A counter's `_total` is added where it belongs. */
  readonly suffix?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** All that one metric says. */
export interface Family {
  /** Without `_total`. */
  readonly name: string;
  readonly type: MetricType;
  /** One sentence. */
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** Makes a metric. */
export function family(type: MetricType, name: string, help: string, samples: readonly Sample[]): Family {
  return { type, name, help, samples };
}

/** Makes a sample without a suffix. */
export function one(value: number, labels: Sample["labels"] = {}): Sample {
  return { labels, value };
}

/** A form that metrics are written in. */
export interface MetricsFormat {
  readonly contentType: string;
  render(families: readonly Family[]): string;
}

export const OPEN_METRICS: MetricsFormat = {
  contentType: "application/openmetrics-text; version=1.0.0; charset=utf-8",
  render(families) {
    const texts = families.map((family) =>
      renderFamily(family, { title: family.name, type: family.type, help: escape(family.help) }),
    );
    return `${texts.join("")}# EOF\n`;
  },
};

/** Prometheus's own text, which every tool reads. There a counter's whole name has `_total`. */
export const PROMETHEUS_TEXT: MetricsFormat = {
  contentType: "text/plain; version=0.0.4; charset=utf-8",
  render: (families) =>
    families
      .map((family) => {
        const title = family.type === "counter" ? `${family.name}_total` : family.name;
        const type = family.type === "unknown" ? "untyped" : family.type;
        return renderFamily(family, { title, type, help: escapeLine(family.help) });
      })
      .join(""),
};

/** The form that a client asks for, by its Accept header. */
export function formatFor(accept: string | undefined): MetricsFormat {
  return accept?.includes("application/openmetrics-text") === true ? OPEN_METRICS : PROMETHEUS_TEXT;
}

interface Head {
  readonly title: string;
  readonly type: string;
  /** Escaped as the form has it. */
  readonly help: string;
}

function renderFamily({ name, type, samples }: Family, head: Head): string {
  if (samples.length === 0) return "";
  const lines = samples.map(
    ({ suffix = "", labels, value }) =>
      `${name}${type === "counter" ? "_total" : suffix}${renderLabels(labels)} ${renderValue(value)}\n`,
  );
  return `# HELP ${head.title} ${head.help}\n# TYPE ${head.title} ${head.type}\n${lines.join("")}`;
}

function renderLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escape(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function renderValue(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}

/** For the value of a label, and for help in OpenMetrics. */
function escape(text: string): string {
  return escapeLine(text).replaceAll('"', '\\"');
}

/** For help in Prometheus's text, where a quote is itself. */
function escapeLine(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
