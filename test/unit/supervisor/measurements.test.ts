import { beforeEach, describe, expect, it } from "vitest";
import { responseIndex } from "../../../src/measured.ts";
import { Measurements } from "../../../src/supervisor/measurements.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";
import { answers } from "../../helpers/measured.ts";

const QUIET = { requestsPerSecond: 0, errorsPerSecond: 0, abortedPerSecond: 0, p50Ms: null, p99Ms: null };

let clock: FakeClock;
let measurements: Measurements;

beforeEach(() => {
  clock = new FakeClock();
  measurements = new Measurements(clock);
});

function countOf(slot: number): number | undefined {
  return measurements.totals.get(slot)?.responses[responseIndex(1, 2)];
}

describe("totals", () => {
  it("go on when an instance ends and another one has its slot", () => {
    measurements.take({ slot: 0, uid: "a" }, answers(5));
    measurements.release({ uid: "a" });
    expect(countOf(0)).toBe(5);
    measurements.take({ slot: 0, uid: "b" }, answers(2));
    expect(countOf(0)).toBe(7);
    expect(measurements.totals.get(0)?.durationSum).toBe(7);
    expect(countOf(1)).toBeUndefined();
  });
});

describe("traffic", () => {
  it("is of the last five heartbeats", () => {
    for (const count of [1000, 10, 10, 10, 10, 10]) {
      clock.advance(1000);
      measurements.take({ slot: 0, uid: "a" }, answers(count));
    }
    expect(measurements.trafficOf(["a"])).toMatchObject({ requestsPerSecond: 10, errorsPerSecond: 0 });
  });

  it("of several instances is their sum, its latency that of all requests", () => {
    measurements.take({ slot: 0, uid: "a" }, answers(99, { bucket: 20 }));
    measurements.take({ slot: 1, uid: "b" }, answers(101, { bucket: 40, statusClass: 5, elapsedMs: 2000 }));
    measurements.take({ slot: 1, uid: "c" }, answers(1, { bucket: 60, statusClass: 0 }));
    expect(measurements.trafficOf(["a", "b"])).toMatchObject({ requestsPerSecond: 149.5, errorsPerSecond: 50.5 });
    const { p50Ms, p99Ms, abortedPerSecond } = measurements.trafficOf(["a", "b", "c"]);
    expect(p50Ms).toBeGreaterThan(80);
    expect(p99Ms).toBeLessThanOrEqual(100);
    expect(abortedPerSecond).toBe(1);
    expect(measurements.trafficOf(["a"]).p99Ms).toBeLessThanOrEqual(1);
  });

  it("of who is not heard, has ended or was never heard is nothing", () => {
    measurements.take({ slot: 0, uid: "a" }, answers(5));
    clock.advance(5000);
    expect(measurements.trafficOf(["a"]).requestsPerSecond).toBe(5);
    clock.advance(1);
    expect(measurements.trafficOf(["a"])).toEqual(QUIET);
    measurements.take({ slot: 0, uid: "b" }, answers(5));
    measurements.release({ uid: "b" });
    expect(measurements.trafficOf(["b", "c"])).toEqual(QUIET);
  });
});
