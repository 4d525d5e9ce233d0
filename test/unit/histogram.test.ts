import { assert, constantFrom, double, array, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { bucketOf, countUpTo, DURATION_BOUNDS_MS, DURATION_BUCKETS, quantile } from "../../src/histogram.ts";

const LAST = DURATION_BOUNDS_MS.at(-1)!;

function histogramOf(durations: readonly number[]): Float64Array {
  const counts = new Float64Array(DURATION_BUCKETS);
  for (const ms of durations) counts[bucketOf(ms)]! += 1;
  return counts;
}

describe("bucketOf", () => {
  it("has rising bounds no further apart than a quarter and a bit, with the limits that people write among them", () => {
    for (const [index, bound] of DURATION_BOUNDS_MS.entries()) {
      if (index > 0) expect(bound / DURATION_BOUNDS_MS[index - 1]!).toBeGreaterThan(1.2);
      if (index > 0) expect(bound / DURATION_BOUNDS_MS[index - 1]!).toBeLessThan(1.31);
    }
    for (const ms of [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 100_000])
      expect(DURATION_BOUNDS_MS).toContain(ms);
  });

  it("puts every duration between the bound below it and its own, which is included", () => {
    assert(
      property(double({ min: 0, max: 200_000, noNaN: true }), (ms) => {
        const bucket = bucketOf(ms);
        expect(ms).toBeLessThanOrEqual(DURATION_BOUNDS_MS[bucket] ?? Infinity);
        if (bucket > 0) expect(ms).toBeGreaterThan(DURATION_BOUNDS_MS[bucket - 1]!);
      }),
    );
    for (const [index, bound] of DURATION_BOUNDS_MS.entries()) expect(bucketOf(bound)).toBe(index);
    expect(bucketOf(-1)).toBe(0);
    expect(bucketOf(1e9)).toBe(DURATION_BUCKETS - 1);
  });
});

describe("quantile", () => {
  it("is right to within a bucket, whatever the durations", () => {
    const durations = array(double({ min: 0.02, max: LAST, noNaN: true }), { minLength: 1, maxLength: 200 });
    assert(
      property(durations, constantFrom(0.01, 0.5, 0.9, 0.99, 1), (all, q) => {
        const exact = all.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(q * all.length) - 1)]!;
        const estimate = quantile(histogramOf(all), q)!;
        expect(bucketOf(estimate)).toBeGreaterThanOrEqual(bucketOf(exact) - 1);
        expect(bucketOf(estimate)).toBeLessThanOrEqual(bucketOf(exact));
      }),
    );
  });

  it("is null without requests, and the last bound for what took longer", () => {
    expect(quantile(new Float64Array(DURATION_BUCKETS), 0.5)).toBeNull();
    expect(quantile(histogramOf([1e9]), 0.5)).toBe(LAST);
  });

  it("of two processes is that of their sum", () => {
    const [one, other] = [histogramOf([1, 1, 1]), histogramOf([100])];
    const sum = one.map((count, bucket) => count + other[bucket]!);
    expect(quantile(sum, 0.5)).toBeLessThanOrEqual(1);
    expect(quantile(sum, 0.99)).toBeGreaterThan(80);
  });
});

describe("countUpTo", () => {
  it("counts what took no longer than a bound", () => {
    const counts = histogramOf([0.5, 1, 1.01, 5, 7]);
    expect([0.25, 0.5, 1, 5, 10].map((bound) => countUpTo(counts, bound))).toEqual([0, 1, 2, 4, 5]);
    expect(() => countUpTo(counts, 3)).toThrow("3 ms is no bound");
  });
});
