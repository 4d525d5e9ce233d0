import { describe, expect, it } from "vitest";
import { type Family, formatFor, OPEN_METRICS, PROMETHEUS_TEXT } from "../../../../src/control/metrics/family.ts";

const FAMILIES: Family[] = [
  { name: "a", type: "counter", help: 'A "count"\nof \\', samples: [{ labels: { b: 'x"\\\ny' }, value: 1.5 }] },
  {
    name: "h_seconds",
    type: "histogram",
    help: "H",
    samples: [
      { suffix: "_bucket", labels: { le: "+Inf" }, value: 2 },
      { suffix: "_sum", labels: {}, value: Number.NaN },
      { suffix: "_count", labels: {}, value: Infinity },
    ],
  },
  { name: "u", type: "unknown", help: "U", samples: [{ labels: {}, value: -Infinity }] },
  { name: "empty", type: "gauge", help: "Nothing is said of what there is not", samples: [] },
];

describe("the texts", () => {
  it("is OpenMetrics' with an end, where a counter's name has no _total but its samples do", () => {
    expect(OPEN_METRICS.render(FAMILIES)).toBe(
      [
        String.raw`# HELP a A \"count\"\nof \\`,
        "# TYPE a counter",
        String.raw`a_total{b="x\"\\\ny"} 1.5`,
        "# HELP h_seconds H",
        "# TYPE h_seconds histogram",
        'h_seconds_bucket{le="+Inf"} 2',
        "h_seconds_sum NaN",
        "h_seconds_count +Inf",
        "# HELP u U",
        "# TYPE u unknown",
        "u -Inf",
        "# EOF",
        "",
      ].join("\n"),
    );
  });

  it("is Prometheus' own otherwise", () => {
    const text = PROMETHEUS_TEXT.render(FAMILIES);
    expect(text).toContain(String.raw`# HELP a_total A "count"\nof \\`);
    expect(text).toContain("# TYPE a_total counter\na_total{");
    expect(text).toContain("# TYPE u untyped\n");
    expect(text).not.toContain("EOF");
  });

  it.each([
    [undefined, PROMETHEUS_TEXT],
    ["*/*", PROMETHEUS_TEXT],
    ["application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5", OPEN_METRICS],
  ])("for Accept %s is the right one", (accept, format) => {
    expect(formatFor(accept)).toBe(format);
  });
});
