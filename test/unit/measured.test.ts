import { describe, expect, it } from "vitest";
import { DURATION_BUCKETS } from "../../src/histogram.ts";
import { addSparse, isMeasured, RESPONSE_KINDS, toSparse } from "../../src/measured.ts";
import { answers, NOTHING_MEASURED } from "../helpers/measured.ts";

describe("sparse counts", () => {
  it("add up to what they were", () => {
    const sum = new Float64Array(5);
    addSparse(sum, toSparse([0, 3, 0, 0, 1]));
    addSparse(sum, toSparse([1, 4, 0, 0, 0]));
    expect([...sum]).toEqual([1, 7, 0, 0, 1]);
    expect(toSparse([0, 0])).toEqual([]);
  });
});

describe("isMeasured", () => {
  it("takes what an instance sends", () => {
    expect(isMeasured(NOTHING_MEASURED)).toBe(true);
    expect(isMeasured(answers(5))).toBe(true);
  });

  it.each([
    ["nothing", undefined],
    ["null", null],
    ["a text", "x"],
    ["an empty object", {}],
    ["a negative count", answers(-1)],
    ["half a count", { ...NOTHING_MEASURED, durations: [1] }],
    ["an index beyond the last", { ...NOTHING_MEASURED, durations: [DURATION_BUCKETS, 1] }],
    ["a negative index", { ...NOTHING_MEASURED, responses: [-1, 1] }],
    ["an index that is no whole number", { ...NOTHING_MEASURED, responses: [0.5, 1] }],
    ["a count that is a text", { ...NOTHING_MEASURED, responses: [0, "1"] }],
    ["an endless list", { ...NOTHING_MEASURED, responses: Array.from({ length: RESPONSE_KINDS * 4 }, () => 0) }],
    ["an infinite sum", { ...NOTHING_MEASURED, durationSum: Infinity }],
    ["no sum", { ...NOTHING_MEASURED, durationSum: undefined }],
    ["NaN", { ...NOTHING_MEASURED, cpuUser: Number.NaN }],
  ])("refuses %s", (_, value) => {
    expect(isMeasured(value)).toBe(false);
  });
});
