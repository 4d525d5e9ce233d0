// Requests between machines, over an engine within the process.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { sealEnvelope } from "../../../../src/messaging/bridges/envelope.ts";
import { RemoteError } from "../../../../src/messaging/remote-error.ts";
import { turns, until } from "../harness.ts";
import type { FakeHub } from "./fake-engine.ts";
import { Machine, closeMachines, pair } from "./machines.ts";

let hub: FakeHub;
let here: Machine;
let there: Machine;

beforeEach(async () => ({ hub, here, there } = await pair(10_000_000)));
afterEach(closeMachines);

/** What was told in the last moment is known everywhere. */
async function told(...machines: readonly Machine[]): Promise<void> {
  await turns();
  for (const machine of [here, there, ...machines]) await machine.pass(250);
  await turns();
}

/** A handler that answers when it is told to. */
function held(): { handler: () => Promise<unknown>; answer: (value: unknown) => void; asked: () => number } {
  let answer: (value: unknown) => void = () => {};
  const promise = new Promise((resolve) => (answer = resolve));
  let asked = 0;
  const handler = () => {
    asked++;
    return promise;
  };
  return { handler, answer, asked: () => asked };
}

const pending = () => [here, there].map(({ harness }) => harness.broker.stats.requests);

describe("a request", () => {
  it("goes to other machines in turn when nobody here responds, and only then", async () => {
    const third = await Machine.start(hub);
    const asker = here.connect();
    await there.connect().respond("who", () => "there");
    await third.connect().respond("*", () => "third");
    await told(third);
    const answers = [];
    for (let n = 0; n < 4; n++) answers.push(await asker.request("who"));
    expect(answers.map(String).toSorted()).toEqual(["there", "there", "third", "third"]);
    const own = await asker.respond("who", () => "myself");
    expect([await asker.request("who"), await asker.request("who")]).toEqual(["myself", "myself"]);
    await here.connect().respond("who", () => "sibling");
    expect([await asker.request("who"), await asker.request("who")]).toEqual(["sibling", "sibling"]);
    await own.unsubscribe();
    expect(await asker.request("other")).toBe("third");
  });

  it.each([
    [{ a: [1, null, "x"] }],
    ["text"],
    [null],
    [undefined],
    [new Uint8Array([1, 2, 3])],
    ["x".repeat(1_048_570)],
  ])("carries values there and back, whole and in parts (%#)", async (value) => {
    hub.maxPayload = 100_000;
    await there.connect().respond("echo", (sent) => (value === undefined ? undefined : sent));
    await told();
    expect(await here.connect().request("echo", value)).toEqual(value);
    expect(pending()).toEqual([0, 0]);
  });

  it("rejects with what the handler threw: name, message, code, and where", async () => {
    await there.connect().respond("fail", () => {
      throw Object.assign(new TypeError("no such user"), { code: "E_USER" });
    });
    await told();
    const error = await here
      .connect()
      .request("fail")
      .catch((error: unknown) => error);
    expect(error).toBeInstanceOf(RemoteError);
    expect(error).toMatchObject({ name: "TypeError", message: "no such user", code: "E_USER" });
    expect((error as RemoteError).from).toEqual({ id: 0, uid: "uid-0", machine: "machine-1:1" });
  });

  it("names at its deadline who was silent, and is forgotten there too", async () => {
    const { handler, answer } = held();
    await there.connect().respond("slow", handler);
    await told();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const late = here
        .connect()
        .request("slow", 1, { timeout: 70 })
        .catch((error: unknown) => error);
      await until(() => pending().join() === "1,1");
      vi.advanceTimersByTime(70);
      expect(await late).toMatchObject({
        code: "ERR_CHOIR_TIMEOUT",
        message: 'Instance 0 of machine-1:1 did not answer the request "slow" within 70 ms',
      });
    } finally {
      vi.useRealTimers();
    }
    await until(() => pending().join() === "0,0");
    answer("late");
    await turns();
    expect(there.bridge.stats.malformed).toBe(0);
  });

  it("ends at once when who was asked is gone, or its supervisor, or the way to it", async () => {
    const { handler } = held();
    const ends = [
      async (client: { close(): Promise<void> }) => client.close(),
      async () => there.bridge.close(),
      async () => hub.down(),
    ];
    for (const end of ends) {
      const responder = there.connect();
      await responder.respond("dies", handler);
      await told();
      const asked = here
        .connect()
        .request("dies")
        .catch((error: unknown) => error);
      await until(() => pending()[0] === 1);
      await turns();
      void end(responder);
      expect(await asked).toMatchObject({ code: "ERR_CHOIR_RESPONDER_GONE" });
      expect(pending()[0]).toBe(0);
      if (end === ends[1]) there = await Machine.start(hub);
    }
  });

  it("that finds its instance draining or gone is answered by another one of that machine", async () => {
    const [one, two] = [there.connect(), there.connect()];
    await one.respond("who", () => "one");
    await told();
    await two.respond("who", () => "two");
    // Before the other machine knows.
    await one.retire();
    expect(await here.connect().request("who")).toBe("two");
    await one.close();
    expect(await here.connect().request("who")).toBe("two");
    await two.close();
    await expect(here.connect().request("who")).rejects.toMatchObject({ code: "ERR_CHOIR_RESPONDER_GONE" });
    await told();
    await expect(here.connect().request("who")).rejects.toMatchObject({
      code: "ERR_CHOIR_NO_RESPONDER",
      message: 'No instance responds to "who"',
    });
  });

  it("under way is answered by an instance that drains, also when it is announced as gone", async () => {
    const { handler, answer } = held();
    const responder = there.connect();
    await responder.respond("slow", handler);
    await told();
    const asked = here.connect().request("slow");
    await until(() => pending()[1] === 1);
    await responder.retire();
    await told();
    answer("done");
    expect(await asked).toBe("done");
  });
});

describe("requestAll", () => {
  it("gathers over all machines, and names who failed and who was silent, with the machine", async () => {
    const { handler } = held();
    const asker = here.connect();
    const sibling = here.connect();
    await asker.respond("all", () => "never asked");
    await sibling.respond("all", () => "sibling");
    const [one, two, three] = [there.connect(), there.connect(), there.connect()];
    await one.respond("all", (value) => ({ value }));
    await two.respond("all", () => Promise.reject(new RangeError("no")));
    await three.respond("all", handler);
    await told();
    const { answers, failed, silent, unreached } = await asker.requestAll("all", 7, { timeout: 500 });
    const machine = "machine-1:1";
    expect(answers).toHaveLength(2);
    expect(answers).toContainEqual({ from: { id: 1, uid: "uid-1" }, value: "sibling" });
    expect(answers).toContainEqual({ from: { id: 0, uid: "uid-0", machine }, value: { value: 7 } });
    expect(failed).toMatchObject([{ from: { id: 1, machine }, error: { name: "RangeError", message: "no" } }]);
    expect(silent).toEqual([{ id: 2, uid: "uid-2", machine }]);
    expect(unreached).toBe(false);
    await until(() => pending().join() === "0,0");
  });

  it("without the engine gives this machine's answers and says so, and all again when it is back", async () => {
    await here.connect().respond("all", () => "here");
    await there.connect().respond("all", () => "there");
    await told();
    const asker = here.connect();
    const values = async () => {
      const { answers, silent, unreached } = await asker.requestAll("all");
      return { values: answers.map(({ value }) => String(value)).toSorted(), silent, unreached };
    };
    const all = { values: ["here", "there"], silent: [], unreached: false };
    expect(await values()).toEqual(all);
    hub.down();
    await until(() => here.bridge.stats.state === "connecting");
    expect(await values()).toEqual({ values: ["here"], silent: [], unreached: true });
    await expect(asker.request("nobody")).rejects.toMatchObject({
      code: "ERR_CHOIR_NO_RESPONDER",
      message: expect.stringMatching(/^No instance of this machine responds to "nobody", and other machines cannot be/),
    });
    hub.up = true;
    for (let n = 0; n < 20; n++) await told();
    expect(here.bridge.stats.state).toBe("connected");
    expect(await values()).toEqual(all);
  });
});

describe("other supervisors", () => {
  it("that are heard of again after a long silence are asked who responds", async () => {
    await there.connect().respond("who", () => "there");
    await told();
    // It stood still: nothing of it came for so long that it was forgotten.
    await here.pass(25_000);
    expect(here.bridge.stats.peers).toBe(0);
    await expect(here.connect().request("who")).rejects.toMatchObject({ code: "ERR_CHOIR_NO_RESPONDER" });
    await there.pass(10_250);
    await told();
    expect(await here.connect().request("who")).toBe("there");
  });

  it("see nothing of what is between two, also with a subscription to everything", async () => {
    const third = await Machine.start(hub);
    const { got } = await third.subscriber(">");
    for (const machine of [here, there]) await machine.subscriber(">");
    await there.connect().respond("who", () => "there");
    await told(third);
    expect(await here.connect().request("who")).toBe("there");
    await turns();
    expect(got).toEqual([]);
    for (const machine of [here, there, third]) expect(machine.bridge.stats.malformed).toBe(0);
  });

  it("that send what is none of Choir's end nothing", async () => {
    await there.connect().respond("who", () => "there");
    await told();
    const [inbox] = hub.log.filter((subject) => subject.startsWith("app.$requests"));
    expect(inbox).toBe("app.$requests");
    const origin = "00112233445566ff";
    const bodies = [
      "",
      "\u0000",
      "\u0001",
      "\u0001\u0005uid-0",
      "\u0001\u0005uid-0\u0000\u0000\u0000\u0005\u0012\u0000\u0000\u0000\u0001",
      "\u0001\u0005uid-0\u0000\u0000\u0000\u0009\u0012\u0000\u0000\u0000\u0001\u0000\u0003a b",
      "\u0001\u0005uid-0\u00ff\u00ff\u00ff\u00ff\u0012",
      "\u0001\u0005uid-0\u0000\u0000\u0000\u0005\u0001\u0000\u0000\u0000\u0001",
      "\u0002",
      "\u0002null",
      '\u0002{"machine":"x","members":[null]}',
      '\u0002{"machine":"x\\"","members":[]}',
      '\u0002{"machine":"x","members":[{"id":0,"uid":"u","topics":["a..b"]}]}',
      '\u0002{"machine":"x","members":[{"id":0,"uid":"u\\"","topics":["a"]}]}',
    ];
    const to = [...hub.connections]
      .flatMap(({ patterns }) => [...patterns])
      .filter((p) => p.startsWith("app.$requests"));
    let sequence = 0;
    for (const subject of to) {
      hub.deliver({ subject, data: Buffer.from("{}") });
      for (const body of bodies) {
        const head = { marks: 0, origin, sequence: ++sequence, version: 0 };
        hub.deliver({ subject, data: sealEnvelope(head, Buffer.from(body, "latin1")) });
      }
    }
    await told();
    expect(here.bridge.stats.malformed).toBeGreaterThan(2 * bodies.length - 5);
    expect(here.reports.filter(({ event }) => event === "engine-warning")).toHaveLength(1);
    expect(await here.connect().request("who")).toBe("there");
  });
});
