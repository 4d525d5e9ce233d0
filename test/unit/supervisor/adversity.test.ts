/** What nobody plans for: events in the worst order, one by one and at random. */
import { describe, expect, it } from "vitest";
import { type Setup, type SetupOptions, setUp } from "../../helpers/fake-supervisor.ts";

const ready = { choir: "ready" } as const;

async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn += 1) await Promise.resolve();
}

function started(options: SetupOptions): Setup {
  const setup = setUp(options);
  for (const child of setup.children) child.say(ready);
  return setup;
}

/** Has the first newcomer pass its time as a canary. */
async function passCanary({ children, clock }: Setup, canary: number): Promise<void> {
  children[canary]!.say(ready);
  await settle();
  clock.advance(3000);
  await settle();
}

describe("rolling restarts", () => {
  it("a change of size that waits with another restart comes between the two, or after both", async () => {
    const setup = started({ instances: 1 });
    void setup.supervisor.restart("first");
    const second = setup.supervisor.restart("second");
    const scaled = setup.supervisor.scale(2, "test");
    await passCanary(setup, 1);
    for (let n = 2; n < 8 && setup.children[n] !== undefined; n++) await passCanary(setup, n);
    expect(await second).toMatchObject({ outcome: "done", generation: 2 });
    await scaled;
    for (let n = 2; n < 8 && setup.children[n] !== undefined; n++) await passCanary(setup, n);
    // Nobody is left on older code.
    const { slots } = setup.supervisor.snapshot();
    const serving = slots.map(({ instances }) => instances.filter(({ state }) => state === "ready"));
    expect(serving.map((all) => all.map(({ generation }) => generation))).toEqual([[2], [2]]);
  });

  it("a successor of new code, on its way when all is taken back, does not stay", async () => {
    const setup = started({ instances: 2 });
    const result = setup.supervisor.restart("test");
    await passCanary(setup, 2);
    // The first newcomer serves, and wants to be followed; the second one fails.
    setup.children[2]!.say({ choir: "leaving", reason: "left" });
    expect(setup.generations).toEqual([0, 0, 1, 1, 1]);
    await setup.children[3]!.end(1);
    await settle();
    expect(setup.generations.at(-1)).toBe(0);
    setup.children[4]!.say(ready);
    setup.children[5]!.say(ready);
    expect(await result).toMatchObject({ outcome: "failed" });
    for (const n of [0, 2, 4]) await setup.children[n]!.end(0);
    setup.clock.advance(60_000);
    const { slots } = setup.supervisor.snapshot();
    expect(slots.map(({ instances }) => instances.filter(({ state }) => state === "ready").length)).toEqual([1, 1]);
    expect(slots.flatMap(({ instances }) => instances.map(({ generation }) => generation))).toEqual([0, 0]);
  });

  it("a slot that a mixed result left on newer code is given that back by the next failure", async () => {
    const setup = started({ instances: 2, isThere: (generation) => generation === 1 });
    const first = setup.supervisor.restart("test");
    await passCanary(setup, 2);
    await setup.children[3]!.end(1);
    expect(await first).toMatchObject({ outcome: "mixed" });
    const second = setup.supervisor.restart("test");
    await settle();
    await setup.children[4]!.end(1);
    expect(await second).toMatchObject({ outcome: "failed" });
    // Its instance is of generation 1, whose code is there; generation 0 is gone.
    await setup.children[2]!.end(1);
    setup.clock.advance(60_000);
    expect(setup.generations).toEqual([0, 0, 1, 1, 2, 1]);
  });

  it("nothing is started any more when the last instance has crashed under --no-respawn", async () => {
    const setup = started({ instances: 1, respawn: false });
    void setup.supervisor.restart("first");
    void setup.supervisor.restart("second");
    await setup.children[0]!.end(1);
    await setup.children[1]!.end(1);
    await settle();
    expect(setup.outcome).toMatchObject({ code: 1 });
    expect(setup.children).toHaveLength(2);
  });
});

describe("an instance that says too much", () => {
  it("is replaced once, however often it wants to leave", async () => {
    const setup = started({ instances: 1 });
    for (let n = 0; n < 100; n++) setup.children[0]!.say({ choir: "leaving", reason: "uncaught" });
    setup.clock.advance(0);
    expect(setup.children).toHaveLength(2);
    expect(setup.events.filter(({ event }) => event === "instance-leaving")).toHaveLength(1);
  });

  it("cannot put off its replacement by new errors", async () => {
    const setup = started({ instances: 1 });
    // Two quick ones: the next replacement comes later.
    for (const n of [0, 1]) {
      setup.children[n]!.say({ choir: "leaving", reason: "uncaught" });
      setup.clock.advance(1000);
      setup.children[n + 1]!.say(ready);
      await setup.children[n]!.end(1);
    }
    for (let n = 0; n < 100; n++) {
      setup.children[2]!.say({ choir: "leaving", reason: "uncaught" });
      setup.clock.advance(100);
    }
    expect(setup.children).toHaveLength(4);
  });
});
