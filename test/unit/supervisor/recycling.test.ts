// Limits: who is replaced, when, and that it is one at a time.
import { describe, expect, it } from "vitest";
import {
  decideRecycling,
  EARLY_MS,
  isRecycling,
  NO_RECYCLING,
  type Recyclable,
  type RecycleLimits,
  type Recycling,
} from "../../../src/supervisor/recycling.ts";
import type { Statistics } from "../../../src/protocol.ts";

const STATISTICS: Statistics = {
  requests: 0,
  inFlight: 0,
  connections: 0,
  upgraded: 0,
  rss: 50e6,
  heapUsed: 10e6,
  heapLimit: 100e6,
  heapFill: 0.1,
  cpu: 0,
  loopDelayMean: 0,
  loopDelayMax: 0,
  utilization: 0,
};

type Change = Partial<Omit<Recyclable, "statistics">> & { readonly statistics?: Partial<Statistics> };

/** Plays rounds of one heartbeat each. */
class Play {
  readonly limits: RecycleLimits;
  readonly dice: number[];
  now = 0;
  #memory = NO_RECYCLING;

  constructor(limits: Partial<RecycleLimits>, dice: readonly number[] = []) {
    this.limits = { requests: undefined, age: undefined, memory: undefined, ...limits };
    this.dice = [...dice];
  }

  round(...changes: Change[]): Recycling | undefined {
    this.now += 1000;
    const instances = changes.map((change, index): Recyclable => ({
      uid: String(index),
      state: "ready",
      isLeaving: false,
      readyFor: 10 * EARLY_MS,
      heardAt: this.now,
      ...change,
      statistics: { ...STATISTICS, ...change.statistics },
    }));
    const random = (): number => this.dice.shift() ?? 0.5;
    const { memory, recycling } = decideRecycling(
      this.#memory,
      { now: this.now, instances },
      { limits: this.limits, random },
    );
    this.#memory = memory;
    return recycling;
  }
}

describe("decideRecycling", () => {
  it("replaces nobody without limits", () => {
    expect(new Play({}).round({ statistics: { requests: 1e9, rss: 1e12 }, readyFor: 1e12 })).toBeUndefined();
  });

  it("replaces who has answered enough, a little sooner or later by dice that are thrown once", () => {
    const play = new Play({ requests: 1000 }, [0, 1]);
    const at = (requests: number): Change => ({ statistics: { requests } });
    expect(play.round(at(899), at(1099))).toBeUndefined();
    expect(play.round(at(899), at(1100))).toMatchObject({ uid: "1", reason: "max-requests", value: 1100, limit: 1100 });
    expect(play.round(at(900), at(0))).toMatchObject({ uid: "0", limit: 900, early: false });
  });

  it("replaces who is old enough, the oldest first", () => {
    const play = new Play({ age: 10_000 });
    expect(play.round({ readyFor: 9999 }, { readyFor: undefined, state: "ready" })).toBeUndefined();
    expect(play.round({ readyFor: 10_000 }, { readyFor: 12_000 })).toMatchObject({ uid: "1", reason: "max-age" });
  });

  it("replaces who is over the memory limit in three heartbeats in a row", () => {
    const play = new Play({ memory: 100e6 });
    const over: Change = { statistics: { rss: 101e6 } };
    expect([play.round(over), play.round(over), play.round({})]).toEqual([undefined, undefined, undefined]);
    expect([play.round(over), play.round(over)]).toEqual([undefined, undefined]);
    expect(play.round(over)).toMatchObject({ reason: "max-memory", value: 101e6, limit: 100e6, early: false });
  });

  it("counts heartbeats, not rounds", () => {
    const play = new Play({ memory: 100e6 });
    for (let round = 0; round < 10; round += 1)
      expect(play.round({ statistics: { rss: 1e9 }, heardAt: 5 })).toBeUndefined();
  });

  it("replaces who has little heap left, without being asked to", () => {
    const play = new Play({});
    const full: Change = { statistics: { heapFill: 0.91 } };
    expect([play.round(full), play.round(full)]).toEqual([undefined, undefined]);
    expect(play.round(full)).toMatchObject({ reason: "heap", value: 0.91, limit: 0.85 });
  });

  it("one at a time: nobody while another one starts, drains or is about to", () => {
    const old: Change = { readyFor: 1e9 };
    for (const other of [
      { state: "starting" },
      { state: "draining" },
      { state: "killing" },
      { isLeaving: true },
    ] as const) {
      const play = new Play({ age: 1000 });
      expect(play.round(old, other)).toBeUndefined();
      expect(play.round(old)).toMatchObject({ uid: "0" });
    }
  });

  it("the most urgent first", () => {
    const play = new Play({ age: 1e8, memory: 100e6, requests: 10 });
    const all: Change[] = [
      { readyFor: 1e9 },
      { statistics: { requests: 20 } },
      { statistics: { rss: 101e6 } },
      { statistics: { heapFill: 0.95 } },
    ];
    expect(play.round(...all)?.reason).toBe("max-requests");
    play.round(...all);
    expect(play.round(...all)?.reason).toBe("heap");
    expect(play.round(...all.slice(0, 3))?.reason).toBe("max-memory");
    expect(play.round(...all.slice(0, 1))?.reason).toBe("max-age");
  });

  it("a limit that an app reaches right after its start does not have it replaced all the time", () => {
    const play = new Play({ memory: 100e6 });
    const over: Change = { readyFor: 3000, statistics: { rss: 200e6 } };
    const replaced: number[] = [];
    for (let round = 1; round <= 200; round += 1) {
      const recycling = play.round(over);
      if (recycling === undefined) continue;
      expect(recycling.early).toBe(true);
      replaced.push(round);
    }
    expect(replaced).toEqual([3, 63, 123, 183]);
  });
});

describe("isRecycling", () => {
  it("tells limits from faults", () => {
    expect((["max-age", "max-requests", "max-memory", "heap"] as const).every(isRecycling)).toBe(true);
    expect((["crashed", "left", "asked", "unresponsive", "out-of-memory"] as const).some(isRecycling)).toBe(false);
  });
});
