import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  expired,
  type KeepLimits,
  nextBoundary,
  type OffsetAt,
  UTC,
  wholeLinesWithin,
} from "../../../../src/logs/files/rotation.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const at = (text: string): number => Date.parse(text);

/** A zone that is put forward at one instant and back at another. */
function zone(standard: number, summer: readonly [from: string, until: string]): OffsetAt {
  const [from, until] = summer.map(at);
  return (time) => (time >= from! && time < until! ? standard + HOUR : standard);
}
/** Berlin in 2026: forward on 29 March at 01:00 UTC, back on 25 October at 01:00 UTC. */
const BERLIN = zone(HOUR, ["2026-03-29T01:00Z", "2026-10-25T01:00Z"]);
/** Somewhere without a midnight on 18 October 2026, as São Paulo had it: 00:00 becomes 01:00. */
const NO_MIDNIGHT = zone(-3 * HOUR, ["2026-10-18T03:00Z", "2027-02-21T02:00Z"]);

describe("nextBoundary", () => {
  it.each([
    ["a day in UTC", UTC, DAY, "2026-11-22T17:25:44Z", "2026-11-23T00:00Z"],
    ["just at it: the next one", UTC, DAY, "2026-11-22T00:00Z", "2026-11-23T00:00Z"],
    ["an hour", UTC, HOUR, "2026-11-22T17:25Z", "2026-11-22T18:00Z"],
    ["a week, on Monday", UTC, 7 * DAY, "2026-11-22T17:25Z", "2026-11-23T00:00Z"],
    ["a day in winter", BERLIN, DAY, "2026-01-10T12:00Z", "2026-01-10T23:00Z"],
    ["a day in summer", BERLIN, DAY, "2026-07-10T12:00Z", "2026-07-10T22:00Z"],
    ["the day of 23 hours", BERLIN, DAY, "2026-03-28T23:00Z", "2026-03-29T22:00Z"],
    ["the day of 25 hours", BERLIN, DAY, "2026-10-24T22:00Z", "2026-10-25T23:00Z"],
    ["hours over the gap", BERLIN, HOUR, "2026-03-29T00:30Z", "2026-03-29T01:00Z"],
    ["hours after the gap", BERLIN, HOUR, "2026-03-29T01:00Z", "2026-03-29T02:00Z"],
    ["the hour that comes twice, first", BERLIN, HOUR, "2026-10-25T00:30Z", "2026-10-25T01:00Z"],
    ["the hour that comes twice, again", BERLIN, HOUR, "2026-10-25T01:30Z", "2026-10-25T02:00Z"],
    ["six hours over the gap", BERLIN, 6 * HOUR, "2026-03-28T23:00Z", "2026-03-29T04:00Z"],
    ["a midnight that is left out", NO_MIDNIGHT, DAY, "2026-10-17T15:00Z", "2026-10-18T03:00Z"],
  ])("%s", (_what, offsetAt, every, now, expected) => {
    expect(new Date(nextBoundary(at(now), every, offsetAt)).toISOString()).toBe(new Date(at(expected)).toISOString());
  });

  it("is always ahead, and never further than the time and the clock's change", () => {
    const times = fc.integer({ min: at("2026-01-01T00:00Z"), max: at("2027-12-31T00:00Z") });
    fc.assert(
      fc.property(
        times,
        fc.constantFrom(1000, 60_000, HOUR, 6 * HOUR, DAY, 7 * DAY, 5_000_000),
        fc.constantFrom(UTC, BERLIN, NO_MIDNIGHT),
        (now, every, offsetAt) => {
          const next = nextBoundary(now, every, offsetAt);
          expect(next).toBeGreaterThan(now);
          expect(next - now).toBeLessThanOrEqual(every + HOUR);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe("expired", () => {
  const NONE: KeepLimits = { files: undefined, age: undefined, totalSize: undefined };
  const files = [1, 2, 3, 4].map((n) => ({ name: `f${n}`, stamp: n * 1000, size: 10 }));
  const judge = (limits: Partial<KeepLimits>, reserved = 0): string[] =>
    expired(files, { ...NONE, ...limits }, { now: 5000, reserved });

  it("keeps all without limits", () => {
    expect(judge({})).toEqual([]);
  });

  it("keeps the newest by number, age and total size", () => {
    expect(judge({ files: 3 })).toEqual(["f1"]);
    expect(judge({ files: 0 })).toEqual(["f1", "f2", "f3", "f4"]);
    expect(judge({ age: 2000 })).toEqual(["f1", "f2"]);
    expect(judge({ totalSize: 30 })).toEqual(["f1"]);
    expect(judge({ totalSize: 39 })).toEqual(["f1"]);
    expect(judge({ totalSize: 40 })).toEqual([]);
  });

  it("counts the written file into the total size", () => {
    expect(judge({ totalSize: 40 }, 1)).toEqual(["f1"]);
    expect(judge({ totalSize: 40 }, 100)).toEqual(["f1", "f2", "f3", "f4"]);
  });
});

describe("wholeLinesWithin", () => {
  it.each([
    ["aa\nbb\n", 6, 6],
    ["aa\nbb\n", 100, 6],
    ["aa\nbb\n", 5, 3],
    ["aa\nbb\n", 3, 3],
    ["aa\nbb\n", 2, 0],
    ["aa\nbb\n", 0, 0],
    ["aa\nbb\n", -5, 0],
  ])("of %j in %d bytes is %d", (text, room, expected) => {
    expect(wholeLinesWithin(Buffer.from(text), room)).toBe(expected);
  });
});
