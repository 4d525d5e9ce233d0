/** Two supervisors as two machines, over a real NATS and a real Redis that is killed and started again meanwhile. */
import { expect, it } from "vitest";
import { type EngineKind, EngineServer, NATS, REDIS } from "../helpers/engines.ts";
import { describeWith } from "../helpers/programs.ts";
import { runChoir } from "../helpers/run-choir.ts";
import { ask, type Running, startRunner, until } from "../helpers/start-runner.ts";

interface Seen {
  readonly pattern: string;
  readonly topic: string;
  readonly retained: boolean;
  readonly value: unknown;
}

/** One supervisor with one or two instances. */
class Machine implements AsyncDisposable {
  readonly runner: Running;
  readonly #instances: number;
  url = "";

  constructor(engine: EngineServer, instances = 1, args: readonly string[] = []) {
    this.#instances = instances;
    this.runner = startRunner("bridged.mjs", { instances, args: ["--pub-sub-url", engine.url, ...args] });
  }

  static async start(engine: EngineServer, instances = 1): Promise<Machine> {
    const machine = new Machine(engine, instances);
    machine.url = await machine.runner.ready(instances);
    return machine;
  }

  async publish(topic: string, query = ""): Promise<void> {
    const answer = await ask(`${this.url}/publish/${topic}?${query}`);
    expect(answer.status, answer.body).toBe(200);
  }

  async get(path: string): Promise<void> {
    expect((await ask(this.url + path)).status).toBe(200);
  }

  async json<T>(path: string): Promise<T> {
    const answer = await ask(this.url + path);
    expect(answer.status, answer.body).toBe(200);
    return JSON.parse(answer.body) as T;
  }

  /** What each of its instances has seen, by uid: asked until all have answered. */
  async seen(): Promise<Map<string, readonly Seen[]>> {
    const all = new Map<string, readonly Seen[]>();
    await until(async () => {
      const answers = await Promise.all(Array.from({ length: 4 }, () => ask(`${this.url}/seen`)));
      for (const answer of answers) {
        const { uid, seen } = JSON.parse(answer.body) as { uid: string; seen: readonly Seen[] };
        all.set(uid, seen);
      }
      return all.size === this.#instances;
    }, `answers of ${this.#instances} instances`);
    return all;
  }

  /** Values of a topic that its one instance has seen. */
  async values(topic: string, pattern?: string): Promise<unknown[]> {
    const [seen = []] = (await this.seen()).values();
    return seen
      .filter((each) => each.topic === topic && (pattern === undefined || each.pattern === pattern))
      .map(({ value }) => value);
  }

  /** Waits until its instance has seen these values of the topic, in this order and no others. */
  async expectValues(topic: string, values: readonly unknown[], pattern?: string): Promise<void> {
    await until(
      async () => (await this.values(topic, pattern)).length >= values.length,
      `${values.length} × ${topic}`,
    ).catch(async (error: unknown) => {
      throw new Error(
        `${String(error)}: ${JSON.stringify(await this.values(topic, pattern))}\n${this.runner.transcript()}`,
      );
    });
    expect(await this.values(topic, pattern)).toEqual(values);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.runner[Symbol.asyncDispose]();
  }
}

const numbers = (from: number, count: number) => Array.from({ length: count }, (_, n) => from + n);

function bridgeTests(kind: EngineKind): void {
  it("carries messages to the other machine's instances, in order and once, and never back", async () => {
    await using engine = await EngineServer.start(kind);
    await using here = await Machine.start(engine, 2);
    await using there = await Machine.start(engine, 1);
    await here.runner.event("engine-connected");
    await until(async () => {
      await here.publish("news", "text=ping");
      return (await there.values("news")).length > 0;
    }, "the first message");
    await here.publish("orders.new", "count=2000");
    // Two patterns of one instance match, and two subscriptions at the engine.
    await there.expectValues("orders.new", numbers(0, 2000), "orders.*");
    await there.expectValues("orders.new", numbers(0, 2000), "orders.>");
    await here.publish("orders.new.deep", "count=3");
    await there.expectValues("orders.new.deep", numbers(0, 3), "orders.>");
    expect(await there.values("orders.new.deep", "orders.*")).toEqual([]);
    await here.publish("orders.bytes", "bytes=1048576");
    await there.expectValues("orders.bytes", [{ bytes: 1_048_576 }], "orders.*");
    const status = await runChoir(["status", "bridged.app", "--json"], there.runner.runtime);
    const { engine: counters } = JSON.parse(status.stdout) as { engine: unknown };
    expect(counters).toMatchObject({
      state: "connected",
      url: engine.url,
      peers: 1,
      waiting: 0,
      dropped: 0,
      malformed: 0,
    });
    expect((await runChoir(["status", "bridged.app"], there.runner.runtime)).stdout).toContain(
      `${engine.url} is connected, other machines: 1`,
    );
    const own = [...(await here.seen()).values()].map((seen) => seen.filter(({ topic }) => topic === "orders.new"));
    // Publishers and their siblings: both patterns for who did not publish, and nothing for who did.
    expect(own.map((seen) => seen.length).toSorted((a, b) => a - b)).toEqual([0, 4000]);
  });

  it("shares retained values with machines that join later, clears too, also when nobody was left", async () => {
    await using engine = await EngineServer.start(kind);
    {
      await using first = await Machine.start(engine);
      await first.publish("state.color", "text=red&retain=1");
      await first.publish("state.size", "text=big&retain=1");
      await using second = await Machine.start(engine);
      expect(await second.values("state.color")).toEqual(["red"]);
      const [seen = []] = (await second.seen()).values();
      expect(seen.every(({ retained }) => retained)).toBe(true);
      expect(seen.map(({ topic }) => topic).toSorted()).toEqual(["state.color", "state.size"]);
      // Retained by the one, changed by the other, seen by the first as a message.
      await second.publish("state.color", "text=blue&retain=1");
      await first.expectValues("state.color", ["blue"]);
      await second.get("/clear/state.size");
      await until(async () => {
        await first.get("/subscribe/state.size");
        return (await first.values("state.size", "state.size")).length === 0;
      }, "the clear to arrive");
      await first.get("/subscribe/state.color");
      expect(await first.values("state.color", "state.color")).toEqual(["blue"]);
    }
    await using third = await Machine.start(engine);
    expect(await third.values("state.color")).toEqual(["blue"]);
    expect(await third.values("state.size")).toEqual([]);
  });

  it("goes on without the engine, and brings what was published meanwhile once it is back", async () => {
    await using engine = await EngineServer.start(kind);
    await using here = await Machine.start(engine, 2);
    await using there = await Machine.start(engine, 1);
    await here.runner.event("engine-connected");
    await until(async () => {
      await here.publish("news", "text=ping");
      return (await there.values("news")).length > 0;
    }, "the first message");
    await here.publish("orders.a", "count=100");
    await there.expectValues("orders.a", numbers(0, 100), "orders.*");
    await engine.kill();
    await here.runner.event("engine-unreachable");
    await there.runner.event("engine-unreachable");
    await here.publish("orders.a", "from=100&count=500");
    await here.publish("state.mode", "text=dark&retain=1");
    // The sibling has both, with the engine dead.
    await until(async () => {
      const all = [...(await here.seen()).values()].flat().filter(({ pattern }) => pattern !== "orders.>");
      return (
        all.filter(({ topic }) => topic === "orders.a").length === 600 &&
        all.some(({ topic }) => topic === "state.mode")
      );
    }, "local delivery");
    // Subscribed while there was no engine.
    await there.get("/subscribe/late.*");
    await here.publish("late.news", "text=hello");
    await engine.start();
    await there.expectValues("orders.a", numbers(0, 600), "orders.*");
    await there.expectValues("state.mode", ["dark"]);
    await there.expectValues("late.news", ["hello"]);
    await here.runner.eventCount("engine-connected", 2);
    // A machine that joins after an engine has lost all that it had (Redis keeps nothing on disk here).
    await using third = await Machine.start(engine);
    await third.expectValues("state.mode", ["dark"]);
  });

  it("carries requests to the other machine, names who was silent, and says when it cannot be asked", async () => {
    await using engine = await EngineServer.start(kind);
    await using here = await Machine.start(engine);
    await using there = await Machine.start(engine);
    const { uid, pid } = await there.json<{ uid: string; pid: number }>("/respond/far");
    const asked = async (query: string) => here.json<Record<string, unknown>>(`/request/far?${query}`);
    await until(async () => (await asked("value=first"))["uid"] === uid, "the first answer");
    const from = { id: 0, uid, machine: expect.stringMatching(new RegExp(`.:${there.runner.pid}$`)) };
    expect(await asked("value=throw")).toEqual({
      error: { name: "RangeError", message: "no such thing", code: "E_THING", from },
    });
    const late = await asked("value=hang&timeout=300");
    expect(late).toMatchObject({ error: { code: "ERR_CHOIR_TIMEOUT" } });
    expect(JSON.stringify(late)).toMatch(/Instance 0 of [^ ]+ did not answer/);
    // One that responds here is asked, and no other machine.
    const own = await here.json<{ uid: string }>("/respond/near");
    await there.json("/respond/near");
    expect(await here.json("/request/near?value=1")).toEqual({ uid: own.uid, value: "1" });
    const all = async (query: string) => here.json<Record<string, unknown>>(`/request-all/far?${query}`);
    expect(await all("value=2")).toEqual({
      answers: [{ from, value: { uid, value: "2" } }],
      failed: [],
      silent: [],
      unreached: false,
    });
    // Who was asked is killed, by itself at first and then by its engine.
    const hanging = async (count: number) =>
      until(async () => (await there.json<{ hanging: number }>("/hanging")).hanging === count, `${count} hanging`);
    const dying = all("value=hang");
    await hanging(2);
    process.kill(pid, "SIGKILL");
    expect(await dying).toEqual({ answers: [], failed: [], silent: [from], unreached: false });
    await there.runner.eventCount("instance-ready", 2);
    await there.json("/respond/far");
    await until(async () => (await asked("value=again"))["value"] === "again", "the respawned instance's answer");
    const cut = asked("value=hang");
    await hanging(1);
    await engine.kill();
    expect(await cut).toMatchObject({ error: { code: "ERR_CHOIR_RESPONDER_GONE" } });
    await here.runner.event("engine-unreachable");
    expect(await all("value=3")).toEqual({ answers: [], failed: [], silent: [], unreached: true });
    const nobody = await asked("value=4");
    expect(nobody).toMatchObject({ error: { code: "ERR_CHOIR_NO_RESPONDER" } });
    expect(JSON.stringify(nobody)).toContain("other machines cannot be asked");
    await engine.start();
    await until(async () => (await asked("value=back"))["value"] === "back", "an answer after the outage");
  });

  it("starts without the engine, drops the oldest beyond the buffer, says so, and ends in time", async () => {
    await using engine = await EngineServer.start(kind);
    await engine.kill();
    await using here = new Machine(engine, 1, ["--pub-sub-buffer", "100KiB"]);
    here.url = await here.runner.ready(1);
    await here.runner.event("engine-unreachable");
    await here.publish("orders.a", "bytes=60000");
    await here.publish("orders.a", "bytes=60001");
    const dropped = await here.runner.event("engine-dropped");
    expect(dropped).toMatchObject({ dropped: 1, over: false });
    await engine.start();
    await here.runner.event("engine-connected");
    expect(await here.runner.event("engine-dropped", { over: true })).toMatchObject({ dropped: 1 });
    await engine.kill();
    await here.runner.eventCount("engine-unreachable", 2);
    expect(await here.runner.stop()).toEqual({ code: 0, signal: null });
  });
}

describeWith({ programs: ["nats-server"] }, "between machines over NATS", () => bridgeTests(NATS));
describeWith({ programs: ["redis-server"] }, "between machines over Redis", () => bridgeTests(REDIS));
