import { describe, expect, it } from "vitest";
import { Burst } from "../../../src/http/share-bursts.ts";

/** At which of `count` connections, one every `everyMs`, an instance pauses; counted from 1. */
function pauses(count: number, everyMs: number): number[] {
  const burst = new Burst();
  return Array.from({ length: count }, (_, index) => index + 1).filter((n) => burst.pausesAt(n * everyMs));
}

describe("a burst of connections", () => {
  it("pauses at the second, and then ever less", () => {
    expect(pauses(100, 0.02)).toEqual([2, 4, 8, 16, 32, 64]);
  });

  it("is none when there is more than a second between them", () => {
    expect(pauses(100, 1001)).toEqual([]);
  });

  it("is one that never ends under steady load: nobody pauses for it", () => {
    expect(pauses(10_000, 10).length).toBeLessThan(14);
  });

  it("ends when it is quiet for a while", () => {
    const burst = new Burst();
    expect([0, 1, 2, 1003, 1004].map((now) => burst.pausesAt(now))).toEqual([false, true, false, false, true]);
  });
});
