import { beforeEach, describe, expect, it } from "vitest";
import type { ToSupervisor } from "../../../src/protocol.ts";
import { type FakeChild, type Setup, type SetupOptions, setUp } from "../../helpers/fake-supervisor.ts";

const FAILURE = {
  choir: "start-failed",
  error: { name: "Error", message: "no database", text: "Error: no database" },
  final: false,
} as const;

/** Which children have been told to drain. */
function drained({ children }: Setup): number[] {
  return children.flatMap((child, index) => (child.sent.length > 0 ? [index] : []));
}

describe("Supervisor", () => {
  let setup: Setup;
  beforeEach(() => {
    setup = setUp();
  });

  function last(): FakeChild {
    return setup.children.at(-1)!;
  }

  it("respawns a crashed instance in its slot, at once the first time, then later and later", async () => {
    last().say({ choir: "ready" });
    await last().end(1);
    setup.clock.advance(0);
    expect(setup.children).toHaveLength(2);
    last().say({ choir: "ready" });
    await last().end(1);
    setup.clock.advance(249);
    expect(setup.children).toHaveLength(2);
    setup.clock.advance(1);
    expect(setup.children).toHaveLength(3);
    expect(setup.events.filter((event) => event.event === "instance-exited")).toMatchObject([
      { instance: 0, reason: "crashed", code: 1, respawnMs: 0 },
      { instance: 0, reason: "crashed", code: 1, respawnMs: 250 },
    ]);
  });

  it("is not ended by control messages that an app made up", async () => {
    const forge = (message: unknown): void => last().say(message as ToSupervisor);
    for (const error of [null, 7, {}, { message: {} }, { name: "E", message: "m", text: 5 }, { name: 1 }]) {
      forge({ choir: "start-failed", error });
    }
    forge({ choir: "no such message" });
    await last().end(3);
    expect(setup.outcome).toBeUndefined();
    setup.clock.advance(1000);
    last().say({ choir: "ready" });
    forge({ choir: "leaving", reason: "no such reason" });
    expect(setup.events.at(-1)).toMatchObject({ event: "instance-leaving", reason: "left" });
    expect(setup.events.find((event) => event.event === "instance-start-failed")).toMatchObject({
      error: "The process ended with exit code 3 before it was ready",
    });
  });

  it("drains on stop, respawns nobody and finishes with 0", async () => {
    last().say({ choir: "ready" });
    setup.supervisor.stop("SIGTERM");
    expect(last().sent).toEqual([{ choir: "drain", reason: "stop" }]);
    await last().end(0);
    await setup.supervisor.finished;
    setup.clock.advance(60_000);
    expect(setup.children).toHaveLength(1);
    expect(setup.outcome).toEqual({ code: 0 });
    expect(setup.clock.timers).toBe(0);
  });

  it("stops while a slot waits for its respawn", async () => {
    last().say({ choir: "ready" });
    await last().end(1);
    setup.supervisor.stop("SIGTERM");
    await setup.supervisor.finished;
    setup.clock.advance(60_000);
    expect(setup.children).toHaveLength(1);
    expect(setup.outcome).toEqual({ code: 0 });
  });

  it("kills at the shutdown timeout, names the open requests, and finishes with 1", async () => {
    last().say({ choir: "ready" });
    setup.supervisor.stop("SIGTERM");
    last().say({ choir: "open-requests", requests: [{ method: "GET", path: "/slow", ageMs: 29_000 }] });
    setup.clock.advance(30_000);
    expect(last().signals).toEqual(["SIGKILL"]);
    expect(setup.events).toContainEqual(
      expect.objectContaining({
        event: "instance-killed",
        openRequests: [{ method: "GET", path: "/slow", ageMs: 29_000 }],
      }),
    );
    await last().end(null, "SIGKILL");
    await setup.supervisor.finished;
    expect(setup.outcome).toEqual({ code: 1 });
  });

  it("kills everyone at the second signal", async () => {
    last().say({ choir: "ready" });
    setup.supervisor.stop("SIGTERM");
    setup.supervisor.forceStop("SIGTERM");
    expect(last().signals).toEqual(["SIGKILL"]);
    await last().end(null, "SIGKILL");
    expect(await setup.supervisor.finished).toEqual({ code: 1 });
  });

  it("gives up after five failed starts, with the cause said once", async () => {
    for (let start = 0; start < 5; start += 1) {
      last().say(FAILURE);
      await last().end(1);
      setup.clock.advance(15_000);
    }
    expect(setup.children).toHaveLength(5);
    const outcome = await setup.supervisor.finished;
    expect(outcome).toMatchObject({
      code: 69,
      error: { code: "ERR_CHOIR_START", message: "No instance could be started: no database" },
    });
    expect(setup.events.filter((event) => event.event === "instance-start-failed")).toHaveLength(1);
    expect(setup.events.filter((event) => event.event === "instance-exited").map((event) => event.repeated)).toEqual([
      false,
      true,
      true,
      true,
      true,
    ]);
  });

  it("never gives up once an instance was ready", async () => {
    last().say({ choir: "ready" });
    await last().end(1);
    setup.clock.advance(0);
    for (let start = 0; start < 20; start += 1) {
      last().say(FAILURE);
      await last().end(1);
      setup.clock.advance(15_000);
    }
    expect(setup.outcome).toBeUndefined();
    expect(setup.children.length).toBe(22);
  });

  it("gives up at once when trying again does not help: a final failure, exit code 78, an address taken meanwhile", async () => {
    last().say({ ...FAILURE, final: true });
    await last().end(1);
    expect(await setup.supervisor.finished).toMatchObject({ code: 69 });

    setup = setUp();
    await last().end(78);
    expect(await setup.supervisor.finished).toMatchObject({
      code: 69,
      error: { message: expect.stringContaining("exit code 78") },
    });

    setup = setUp();
    last().say({ ...FAILURE, error: { ...FAILURE.error, code: "ERR_CHOIR_ADDRESS_IN_USE" } });
    await last().end(1);
    expect(await setup.supervisor.finished).toMatchObject({ code: 69, error: { code: "ERR_CHOIR_ADDRESS_IN_USE" } });
  });

  it("an EADDRINUSE of the app itself is a failure like any other", async () => {
    last().say({ ...FAILURE, error: { ...FAILURE.error, code: "EADDRINUSE" } });
    await last().end(1);
    setup.clock.advance(250);
    expect(setup.children).toHaveLength(2);
  });

  it("ends the others when one slot shows that no start can succeed", async () => {
    setup = setUp({ instances: 3 });
    setup.children[1]!.say({ ...FAILURE, final: true });
    await setup.children[1]!.end(78);
    expect(setup.children[0]!.sent).toEqual([{ choir: "drain", reason: "stop" }]);
    expect(setup.outcome).toBeUndefined();
    await setup.children[0]!.end(0);
    await setup.children[2]!.end(0);
    expect(await setup.supervisor.finished).toMatchObject({ code: 69 });
  });

  it("kills at the start timeout, and a slot that timed out counts as failed", async () => {
    setup.clock.advance(60_000);
    expect(last().signals).toEqual(["SIGKILL"]);
    await last().end(null, "SIGKILL");
    expect(await setup.supervisor.finished).toMatchObject({
      code: 69,
      error: { message: expect.stringContaining("--start-timeout") },
    });
  });

  it("without respawn: serves on with the survivors, and ends with 1 when the last one is gone", async () => {
    setup = setUp({ instances: 2, respawn: false });
    for (const child of setup.children) child.say({ choir: "ready" });
    await setup.children[0]!.end(1);
    setup.clock.advance(60_000);
    expect(setup.children).toHaveLength(2);
    expect(setup.outcome).toBeUndefined();
    await setup.children[1]!.end(0);
    expect(await setup.supervisor.finished).toMatchObject({ code: 1, error: { code: "ERR_CHOIR_ALL_CRASHED" } });
  });

  it("without respawn: ends with 69 when no instance ever was ready", async () => {
    setup = setUp({ instances: 2, respawn: false });
    for (const child of setup.children) {
      child.say(FAILURE);
      await child.end(1);
    }
    expect(await setup.supervisor.finished).toMatchObject({ code: 69 });
  });

  it("replaces an instance that wants to leave before it drains it", async () => {
    last().say({ choir: "ready" });
    const first = last();
    first.say({ choir: "leaving", reason: "left" });
    expect(setup.children).toHaveLength(2);
    expect(first.sent).toEqual([]);
    last().say({ choir: "ready" });
    expect(first.sent).toEqual([{ choir: "drain", reason: "replaced" }]);
    await first.end(0);
    setup.clock.advance(60_000);
    expect(setup.children).toHaveLength(2);
    expect(setup.events).toContainEqual(
      expect.objectContaining({ event: "instance-exited", reason: "left", respawnMs: null }),
    );
  });

  it("keeps the one that wants to leave until a replacement is ready, however often that fails", async () => {
    last().say({ choir: "ready" });
    const first = last();
    first.say({ choir: "leaving", reason: "left" });
    last().say(FAILURE);
    await last().end(1);
    setup.clock.advance(15_000);
    expect(setup.children).toHaveLength(3);
    expect(first.sent).toEqual([]);
    last().say({ choir: "ready" });
    expect(first.sent).toHaveLength(1);
  });

  it("fills the slot with the successor when the leaving one crashes first", async () => {
    last().say({ choir: "ready" });
    const first = last();
    first.say({ choir: "leaving", reason: "left" });
    await first.end(1);
    setup.clock.advance(60_000 - 1);
    expect(setup.children).toHaveLength(2);
    last().say({ choir: "ready" });
    expect(last().sent).toEqual([]);
  });

  it("replaces an instance with an uncaught error at once, then later and later, and the old one serves on", async () => {
    const uncaught = { choir: "leaving", reason: "uncaught" } as const;
    last().say({ choir: "ready" });
    for (const delay of [0, 250, 500, 1000]) {
      const failing = last();
      const before = setup.children.length;
      failing.say(uncaught);
      if (delay > 0) setup.clock.advance(delay - 1);
      expect(setup.children).toHaveLength(delay === 0 ? before + 1 : before);
      expect(failing.sent).toEqual([]);
      if (delay > 0) setup.clock.advance(1);
      expect(setup.children).toHaveLength(before + 1);
      last().say({ choir: "ready" });
      expect(failing.sent).toEqual([{ choir: "drain", reason: "replaced" }]);
      await failing.end(1);
      setup.clock.advance(0);
      expect(setup.children).toHaveLength(before + 1);
    }
    expect(setup.events.filter((event) => event.event === "instance-exited")).toMatchObject(
      Array.from({ length: 4 }, () => ({ reason: "uncaught", code: 1, respawnMs: null })),
    );
    // Ten seconds of being ready prove an instance.
    setup.clock.advance(10_000);
    const count = setup.children.length;
    last().say(uncaught);
    expect(setup.children).toHaveLength(count + 1);
  });

  it("one that crashes while it waits for its replacement is respawned once, and its error counts once", async () => {
    const uncaught = { choir: "leaving", reason: "uncaught" } as const;
    last().say({ choir: "ready" });
    last().say(uncaught);
    const first = setup.children[0]!;
    last().say({ choir: "ready" });
    await first.end(1);
    const second = last();
    second.say(uncaught);
    setup.clock.advance(100);
    await second.end(null, "SIGKILL");
    expect(setup.events.at(-1)).toMatchObject({ event: "instance-exited", respawnMs: 250 });
    setup.clock.advance(250);
    expect(setup.children).toHaveLength(3);
    setup.clock.advance(9000);
    expect(setup.children).toHaveLength(3);
  });

  it("drains an instance with an uncaught error at once when nobody may follow it", async () => {
    setup = setUp({ respawn: false });
    last().say({ choir: "ready" });
    last().say({ choir: "leaving", reason: "uncaught" });
    expect(last().sent).toHaveLength(1);
    await last().end(1);
    expect(await setup.supervisor.finished).toMatchObject({ code: 1 });
    expect(setup.children).toHaveLength(1);
  });
});

describe("rolling restart", () => {
  const ready = { choir: "ready" } as const;

  async function settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  }

  function started(options: SetupOptions): Setup {
    const setup = setUp(options);
    for (const child of setup.children) child.say(ready);
    return setup;
  }

  it("replaces one after the other, the first one after the canary time, each by a newcomer that is ready", async () => {
    const setup = started({ instances: 3 });
    const result = setup.supervisor.restart("test");
    expect(setup.children).toHaveLength(4);
    setup.children[3]!.say(ready);
    await settle();
    setup.clock.advance(2999);
    await settle();
    expect(drained(setup)).toEqual([]);
    setup.clock.advance(1);
    await settle();
    expect(drained(setup)).toEqual([0]);
    expect(setup.children).toHaveLength(5);
    setup.children[4]!.say(ready);
    await settle();
    expect(drained(setup)).toEqual([0, 1]);
    setup.children[5]!.say(ready);
    expect(await result).toMatchObject({ outcome: "done", generation: 1 });
    expect(drained(setup)).toEqual([0, 1, 2]);
    expect(setup.generations).toEqual([0, 0, 0, 1, 1, 1]);
    expect(setup.supervisor.snapshot()).toMatchObject({
      generation: 1,
      state: "running",
      lastRestart: { outcome: "done" },
    });
  });

  it("with a surge of 100 % keeps every old one until all newcomers are good", async () => {
    const setup = started({ instances: 3, maxSurge: "100%" });
    const result = setup.supervisor.restart("test");
    setup.children[3]!.say(ready);
    await settle();
    setup.clock.advance(3000);
    await settle();
    expect(setup.children).toHaveLength(6);
    setup.children[4]!.say(ready);
    await settle();
    expect(drained(setup)).toEqual([]);
    setup.children[5]!.say(ready);
    expect(await result).toMatchObject({ outcome: "done" });
    expect(drained(setup)).toEqual([0, 1, 2]);
  });

  it("leaves the old generation serving when the canary dies within its time", async () => {
    const setup = started({ instances: 2 });
    const result = setup.supervisor.restart("test");
    setup.children[2]!.say(ready);
    await settle();
    setup.clock.advance(1000);
    await setup.children[2]!.end(1);
    expect(await result).toMatchObject({
      outcome: "failed",
      error: "A newcomer ended with exit code 1 1000 ms after it was ready",
      lastWords: ["last words"],
    });
    setup.clock.advance(60_000);
    expect(drained(setup)).toEqual([]);
    expect(setup.children).toHaveLength(3);
    expect(setup.supervisor.snapshot()).toMatchObject({ generation: 0, ready: 2 });
  });

  it("takes replaced slots back to the old generation when a later newcomer fails", async () => {
    const setup = started({ instances: 2 });
    const result = setup.supervisor.restart("test");
    setup.children[2]!.say(ready);
    await settle();
    setup.clock.advance(3000);
    await settle();
    expect(drained(setup)).toEqual([0]);
    setup.children[3]!.say(FAILURE);
    await setup.children[3]!.end(1);
    await settle();
    expect(setup.generations).toEqual([0, 0, 1, 1, 0]);
    expect(drained(setup)).toEqual([0]);
    setup.children[4]!.say(ready);
    expect(await result).toMatchObject({ outcome: "failed", error: "no database" });
    expect(drained(setup)).toEqual([0, 2]);
    await setup.children[2]!.end(0);
    setup.clock.advance(60_000);
    expect(setup.children).toHaveLength(5);
  });

  it("is mixed when the old code is gone", async () => {
    const setup = started({ instances: 2, isThere: () => false });
    const result = setup.supervisor.restart("test");
    setup.children[2]!.say(ready);
    await settle();
    setup.clock.advance(3000);
    await settle();
    await setup.children[3]!.end(1);
    expect(await result).toMatchObject({ outcome: "mixed" });
    expect(drained(setup)).toEqual([0]);
  });

  it("respawns an old instance that crashes meanwhile with the old code", async () => {
    const setup = started({ instances: 2 });
    const result = setup.supervisor.restart("test");
    await setup.children[1]!.end(1);
    setup.clock.advance(0);
    expect(setup.generations).toEqual([0, 0, 1, 0]);
    setup.children[3]!.say(ready);
    setup.children[2]!.say(ready);
    await settle();
    setup.clock.advance(3000);
    await settle();
    setup.children[4]!.say(ready);
    expect(await result).toMatchObject({ outcome: "done" });
    expect(drained(setup)).toEqual([0, 3]);
  });

  it("fails when the newcomer dies after the old one of its slot has crashed, and fills the slot with old code", async () => {
    const setup = started({ instances: 1 });
    const result = setup.supervisor.restart("test");
    await setup.children[0]!.end(1);
    await setup.children[1]!.end(1);
    expect(await result).toMatchObject({ outcome: "failed" });
    setup.clock.advance(15_000);
    expect(setup.generations).toEqual([0, 1, 0]);
  });

  it("takes back a newcomer that serves already, since the old one of its slot has crashed", async () => {
    const setup = started({ instances: 2, maxSurge: "100%" });
    const result = setup.supervisor.restart("test");
    await setup.children[0]!.end(1);
    setup.children[2]!.say(ready);
    await settle();
    setup.clock.advance(3000);
    await settle();
    setup.children[3]!.say(FAILURE);
    await setup.children[3]!.end(1);
    await settle();
    expect(setup.generations).toEqual([0, 0, 1, 1, 0]);
    setup.children[4]!.say(ready);
    expect(await result).toMatchObject({ outcome: "failed" });
    expect(drained(setup)).toEqual([2]);
  });

  it("lets an instance that has taken its place be replaced like any other, while the rest is rolled out", async () => {
    const setup = started({ instances: 2 });
    const result = setup.supervisor.restart("test");
    setup.children[2]!.say(ready);
    await settle();
    setup.clock.advance(3000);
    await settle();
    setup.children[2]!.say({ choir: "leaving", reason: "left" });
    expect(setup.generations).toEqual([0, 0, 1, 1, 1]);
    setup.children[4]!.say(ready);
    expect(drained(setup)).toEqual([0, 2]);
    setup.children[3]!.say(ready);
    expect(await result).toMatchObject({ outcome: "done" });
  });

  it("gives way to a stop while it is taken back", async () => {
    const setup = started({ instances: 2 });
    const result = setup.supervisor.restart("test");
    setup.children[2]!.say(ready);
    await settle();
    setup.clock.advance(3000);
    await settle();
    await setup.children[3]!.end(1);
    await settle();
    setup.supervisor.stop("SIGTERM");
    expect(await result).toMatchObject({ outcome: "stopped" });
  });

  it("queues a second one once, for all who ask meanwhile", async () => {
    const setup = started({ instances: 1 });
    const first = setup.supervisor.restart("a");
    const second = setup.supervisor.restart("b");
    const third = setup.supervisor.restart("c");
    setup.children[1]!.say(ready);
    await settle();
    setup.clock.advance(3000);
    expect(await first).toMatchObject({ outcome: "done", generation: 1 });
    await settle();
    setup.children[2]!.say(ready);
    await settle();
    setup.clock.advance(3000);
    expect(await second).toMatchObject({ outcome: "done", generation: 2 });
    expect(await third).toMatchObject({ generation: 2 });
    expect(setup.events.filter((event) => event.event === "restart-started")).toHaveLength(2);
  });

  it("counts every instance more and fewer that is asked for meanwhile, and keeps one at least", async () => {
    const setup = started({ instances: 1 });
    const restart = setup.supervisor.restart("test");
    const scaled = [1, 1].map((change) => setup.supervisor.scaleBy(change, "test"));
    setup.children[1]!.say(ready);
    await settle();
    setup.clock.advance(3000);
    await restart;
    expect(await Promise.all(scaled)).toEqual([{ instances: 2 }, { instances: 3 }]);
    expect(await setup.supervisor.scaleBy(-5, "test")).toEqual({ instances: 1 });
  });

  it("gives way to a stop", async () => {
    const setup = started({ instances: 2 });
    const first = setup.supervisor.restart("test");
    const second = setup.supervisor.restart("test");
    setup.supervisor.stop("SIGTERM");
    expect(await first).toMatchObject({ outcome: "stopped" });
    expect(await second).toMatchObject({ outcome: "stopped" });
    for (const child of setup.children) await child.end(0);
    expect(await setup.supervisor.finished).toEqual({ code: 0 });
  });
});

describe("the order of a stop", () => {
  it("lets those that serve go on until those that only start are gone", async () => {
    const setup = setUp({ instances: 2 });
    setup.children[0]!.say({ choir: "ready" });
    setup.supervisor.stop("SIGTERM");
    expect(drained(setup)).toEqual([1]);
    await setup.children[1]!.end(0);
    expect(drained(setup)).toEqual([0, 1]);
    await setup.children[0]!.end(0);
    expect(await setup.supervisor.finished).toEqual({ code: 0 });
  });

  it("but for no longer than a second", () => {
    const setup = setUp({ instances: 2 });
    setup.children[0]!.say({ choir: "ready" });
    setup.supervisor.stop("SIGTERM");
    setup.clock.advance(999);
    expect(drained(setup)).toEqual([1]);
    setup.clock.advance(1);
    expect(drained(setup)).toEqual([0, 1]);
  });
});

describe("scale", () => {
  it("starts more in new slots, and drains the newest first", async () => {
    const setup = setUp({ instances: 2 });
    for (const child of setup.children) child.say({ choir: "ready" });
    expect(await setup.supervisor.scale(3, "test")).toEqual({ instances: 3 });
    expect(setup.children).toHaveLength(3);
    setup.children[2]!.say({ choir: "ready" });
    expect(await setup.supervisor.scale(1, "test")).toEqual({ instances: 1 });
    expect(setup.children.map((child) => child.sent.length)).toEqual([0, 1, 1]);
    await setup.children[1]!.end(0);
    await setup.children[2]!.end(0);
    setup.clock.advance(60_000);
    expect(setup.children).toHaveLength(3);
    expect(setup.supervisor.snapshot()).toMatchObject({ instances: 1, ready: 1 });
  });
});
