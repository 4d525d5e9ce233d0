import { Counter, Gauge, Histogram, Registry, Summary } from "prom-client";
import { describe, expect, it } from "vitest";
import { AppMetrics } from "../../../../src/control/metrics/app.ts";
import { PROMETHEUS_TEXT } from "../../../../src/control/metrics/family.ts";
import { readAppMetrics } from "../../../../src/control/metrics/read-app.ts";

/** A registry as an instance has it, with a few of everything. */
function registry(amount: number): Registry {
  const registers = [new Registry()];
  new Counter({ name: "c_total", help: "c", labelNames: ["k"], registers }).inc({ k: "x" }, amount);
  new Gauge({ name: "g", help: "g", registers }).set(amount);
  new Gauge({ name: "worst", help: "w", aggregator: "max", registers }).set(amount);
  new Gauge({ name: "mean", help: "m", aggregator: "average", registers }).set(amount);
  new Gauge({ name: "mine", help: "o", aggregator: "omit", registers }).set(amount);
  new Gauge({ name: "endless", help: "e", registers }).set(Infinity);
  new Histogram({ name: "h", help: "h", buckets: [1, 10], registers }).observe(amount);
  const summary = new Summary({ name: "s", help: "s", percentiles: [0.5], registers });
  summary.observe(amount);
  return registers[0]!;
}

/** What travels from an instance with it. */
async function sent(amount: number): Promise<string> {
  const infinite = (_: string, value: unknown): unknown =>
    typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
  return JSON.stringify(await registry(amount).getMetricsAsJSON(), infinite);
}

function linesOf(metrics: AppMetrics, taken: string[] = []): string[] {
  const text = PROMETHEUS_TEXT.render(metrics.families(new Set(taken)));
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

describe("summed", () => {
  it("counters and histograms are added up, gauges combined as they say, quantiles left out", async () => {
    const metrics = new AppMetrics({ merge: "sum" });
    metrics.take({ uid: "a", slot: 0 }, readAppMetrics(await sent(2)));
    metrics.take({ uid: "b", slot: 1 }, readAppMetrics(await sent(4)));
    metrics.take({ uid: "c", slot: 2 }, readAppMetrics(await sent(12)));
    expect(linesOf(metrics)).toEqual([
      'c_total{k="x"} 18',
      "g 18",
      "worst 12",
      "mean 6",
      "endless +Inf",
      'h_bucket{le="1"} 0',
      'h_bucket{le="10"} 2',
      'h_bucket{le="+Inf"} 3',
      "h_sum 18",
      "h_count 3",
      "s_sum 18",
      "s_count 3",
    ]);
  });

  it("what an instance counted stays when it ends, its gauges go", async () => {
    const metrics = new AppMetrics({ merge: "sum" });
    metrics.take({ uid: "a", slot: 0 }, readAppMetrics(await sent(2)));
    metrics.release(new Set());
    expect(linesOf(metrics)).toContain('c_total{k="x"} 2');
    expect(linesOf(metrics).some((line) => line.startsWith("g "))).toBe(false);
    metrics.take({ uid: "b", slot: 0 }, readAppMetrics(await sent(3)));
    expect(linesOf(metrics)).toContain('c_total{k="x"} 5');
    expect(linesOf(metrics)).toContain("h_count 2");
    // The same instance says more later: that is no addition.
    metrics.take({ uid: "b", slot: 0 }, readAppMetrics(await sent(4)));
    expect(linesOf(metrics)).toContain('c_total{k="x"} 6');
  });

  it("keeps a bounded number of series of ended instances", async () => {
    const metrics = new AppMetrics({ merge: "sum", mostKept: 1 });
    metrics.take({ uid: "a", slot: 0 }, readAppMetrics(await sent(2)));
    metrics.release(new Set());
    expect(linesOf(metrics)).toEqual(['c_total{k="x"} 2']);
  });

  it("leaves out what has the name of another metric, and what changed its type", async () => {
    const metrics = new AppMetrics({ merge: "sum" });
    metrics.take({ uid: "a", slot: 0 }, readAppMetrics(await sent(2)));
    const other = [{ name: "g", type: "counter", help: "", values: [{ value: 1, labels: {} }] }];
    metrics.take({ uid: "b", slot: 1 }, readAppMetrics(JSON.stringify(other)));
    expect(linesOf(metrics, ["c", "h"])).toEqual(["g 2", "worst 2", "mean 2", "endless +Inf", "s_sum 2", "s_count 1"]);
  });
});

describe("by instance", () => {
  it("everything has its slot as a label, quantiles too", async () => {
    const metrics = new AppMetrics({ merge: "instance" });
    metrics.take({ uid: "a", slot: 0 }, readAppMetrics(await sent(2)));
    metrics.take({ uid: "b", slot: 1 }, readAppMetrics(await sent(4)));
    metrics.release(new Set(["b"]));
    const lines = linesOf(metrics);
    expect(lines).toContain('c_total{instance="0",k="x"} 2');
    expect(lines).toContain('c_total{instance="1",k="x"} 4');
    expect(lines).toContain('s{instance="1",quantile="0.5"} 4');
    expect(lines).toContain('mine{instance="1"} 4');
    expect(lines).not.toContain('g{instance="0"} 2');
  });
});

describe("what an app's process may send", () => {
  it.each([
    ["no list", "{}"],
    ["no JSON", "["],
  ])("is refused when it is %s", (_, text) => {
    expect(() => readAppMetrics(text)).toThrow();
  });

  it("is taken as far as it is a metric", () => {
    const odd = [
      null,
      1,
      { name: "bad name", values: [] },
      { name: "x\ny", values: [] },
      { name: "no_values" },
      {
        name: "ok",
        type: "strange",
        aggregator: "strange",
        help: 5,
        values: [
          null,
          { value: "7", labels: {} },
          { value: 1, labels: { 'a"}': "x" } },
          { value: 2, labels: { a: 'b"\n' }, metricName: "ok_evil{" },
          { value: 3, labels: null },
        ],
      },
    ];
    expect(readAppMetrics(JSON.stringify(odd))).toEqual([
      {
        name: "ok",
        help: "",
        type: "unknown",
        aggregator: "sum",
        samples: [
          { labels: { a: 'b"\n' }, value: 2 },
          { labels: {}, value: 3 },
        ],
      },
    ]);
  });

  it("is bounded", () => {
    const many = { name: "m", type: "gauge", values: Array.from({ length: 50_001 }, () => ({ value: 1, labels: {} })) };
    const one = { name: "o", type: "gauge", values: [{ value: 1, labels: {} }] };
    expect(readAppMetrics(JSON.stringify([many, one])).map(({ name }) => name)).toEqual(["o"]);
  });
});
