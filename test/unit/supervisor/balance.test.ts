/** Who holds far more connections than the others lets some go, and everybody else is left alone. */
import { describe, expect, it } from "vitest";
import { type BalanceMemory, decideBalance } from "../../../src/supervisor/balance.ts";

const NONE: BalanceMemory = new Map();

function held(...counts: (number | null)[]) {
  return counts.map((connections, n) => ({
    uid: `u${n}`,
    statistics: connections === null ? null : { connections, upgraded: 0 },
  }));
}

function letGo(...counts: (number | null)[]) {
  return decideBalance(NONE, { now: 0, instances: held(...counts) }).letGo;
}

describe("balance", () => {
  it("lets go of the excess of who is far above the mean, a fifth at a time", () => {
    expect(letGo(74, 62, 52, 12)).toEqual([{ uid: "u0", connections: 15 }]);
    expect(letGo(1000, 0)).toEqual([{ uid: "u0", connections: 200 }]);
    expect(letGo(400, 400, 10, 10)).toEqual([
      { uid: "u0", connections: 80 },
      { uid: "u1", connections: 80 },
    ]);
    expect(letGo(133, 90, 90, 90)).toEqual([{ uid: "u0", connections: 27 }]);
  });

  it.each([
    ["nearly even", [53, 53, 49, 45]],
    ["a quarter above the mean", [125, 75]],
    ["few", [12, 0, 0]],
    ["only one", [500]],
    ["none", []],
    ["not all known yet", [500, 10, null]],
  ])("leaves them alone when they are %s", (_, counts) => {
    expect(letGo(...counts)).toEqual([]);
  });

  it("does not count WebSockets, which stay", () => {
    const instances = [
      { uid: "u0", statistics: { connections: 500, upgraded: 480 } },
      { uid: "u1", statistics: { connections: 20, upgraded: 0 } },
    ];
    expect(decideBalance(NONE, { now: 0, instances }).letGo).toEqual([]);
  });

  it("waits until what it asked for can be seen, and asks again when it was not enough", () => {
    const first = decideBalance(NONE, { now: 1000, instances: held(1000, 0) });
    const early = decideBalance(first.memory, { now: 5900, instances: held(900, 100) });
    expect(early.letGo).toEqual([]);
    const later = decideBalance(early.memory, { now: 6000, instances: held(800, 200) });
    expect(later.letGo).toEqual([{ uid: "u0", connections: 160 }]);
    // Who is gone is forgotten.
    expect([...decideBalance(later.memory, { now: 20_000, instances: held(10, 10) }).memory]).toEqual([]);
  });

  it("comes to rest, however uneven it was and however uneven the clients come back", () => {
    let counts = [800, 0, 0, 0];
    let memory = NONE;
    let moved = 0;
    for (let now = 0; now < 300_000; now += 1000) {
      const decided = decideBalance(memory, { now, instances: held(...counts) });
      memory = decided.memory;
      for (const { uid, connections } of decided.letGo) {
        moved += connections;
        // The kernel gives half of them to one instance.
        const at = Number(uid.slice(1));
        counts = counts.map(
          (count, n) => count - (n === at ? connections : 0) + connections * (n === 1 ? 0.5 : 0.5 / 3),
        );
      }
    }
    expect(Math.max(...counts)).toBeLessThanOrEqual(250);
    expect(moved).toBeLessThan(2000);
  });
});
