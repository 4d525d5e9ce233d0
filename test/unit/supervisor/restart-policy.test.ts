import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CLEAN_HISTORY,
  hasFailedToStart,
  MAX_START_FAILURES,
  type ObservedExit,
  remember,
  respawnDelay,
  type SlotHistory,
} from "../../../src/supervisor/restart-policy.ts";

const neverReady: ObservedExit = { readyMs: null, timedOut: false };
const quick: ObservedExit = { readyMs: 3000, timedOut: false };
const stable: ObservedExit = { readyMs: 10_000, timedOut: false };

function delaysOf(exits: readonly ObservedExit[], random = 0.5): number[] {
  let history: SlotHistory = CLEAN_HISTORY;
  return exits.map((exit) => {
    history = remember(history, exit);
    return respawnDelay(history, random);
  });
}

describe("respawnDelay", () => {
  it.each([
    ["ready, then quick exits: at once the first time", [quick, quick, quick, quick], [0, 250, 500, 1000]],
    ["never ready: never at once", [neverReady, neverReady, neverReady], [250, 500, 1000]],
    ["ready for 10 s: the back-off begins anew", [quick, quick, stable, quick], [0, 250, 0, 250]],
    ["never ready after a good time", [stable, neverReady, neverReady], [0, 500, 1000]],
  ] as const)("%s", (_, exits, delays) => {
    expect(delaysOf(exits)).toEqual(delays);
  });

  it("doubles to 15 s and stays there", () => {
    const delays = delaysOf(Array.from({ length: 20 }, () => neverReady));
    expect(delays.slice(0, 8)).toEqual([250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
    expect(delays.at(-1)).toBe(15_000);
  });

  it("spreads by 20 % either way and never leaves [0, 15 s]", () => {
    expect(delaysOf([neverReady], 0)).toEqual([200]);
    expect(delaysOf([neverReady], 0.999_999)).toEqual([300]);
    const exit = fc.record({ readyMs: fc.option(fc.nat(20_000)), timedOut: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(exit, { maxLength: 60 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (exits, random) => {
          for (const delay of delaysOf(exits, random)) {
            expect(delay).toBeGreaterThanOrEqual(0);
            expect(delay).toBeLessThanOrEqual(15_000);
          }
        },
      ),
    );
  });
});

describe("hasFailedToStart", () => {
  const failed = { ...CLEAN_HISTORY, startFailures: MAX_START_FAILURES };
  const timedOut = { ...CLEAN_HISTORY, startFailures: 1, timedOut: true };

  it.each([
    ["every slot failed five times", [failed, failed], false, true],
    ["every slot failed or timed out", [failed, timedOut], false, true],
    ["one slot may still come", [failed, { ...failed, startFailures: 4 }], false, false],
    ["an instance was ready once", [failed, failed], true, false],
  ] as const)("%s", (_, histories, everReady, expected) => {
    expect(hasFailedToStart(histories, everReady)).toBe(expected);
  });

  it("counts failures in a row only", () => {
    const history = [neverReady, neverReady, quick, neverReady].reduce<SlotHistory>(remember, CLEAN_HISTORY);
    expect(history).toEqual({ quickExits: 4, startFailures: 1, timedOut: false });
  });
});
