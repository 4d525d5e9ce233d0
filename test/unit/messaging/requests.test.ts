/** Requests and answers, from client to client through the broker. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import { RemoteError } from "../../../src/messaging/remote-error.ts";
import { REQUEST_FRAME, FRAME } from "../../../src/messaging/frames.ts";
import { Harness, control, isSettled, readFrames, request, turns, until, type Connection } from "./harness.ts";

let harness: Harness;
let asker: Connection;
let one: Connection;
let two: Connection;

beforeEach(() => {
  harness = new Harness({ maxRequests: 3 });
  [asker, one, two] = [harness.connect(), harness.connect(), harness.connect()];
});

/** A handler that answers when it is told to. */
function held(): { handler: () => Promise<unknown>; answer: (value: unknown) => void } {
  let answer: (value: unknown) => void = () => {};
  const promise = new Promise((resolve) => (answer = resolve));
  return { handler: () => promise, answer };
}

/** Its property cannot be read. */
function hostile<T extends object>(target: T, property: string): T {
  return Object.defineProperty(target, property, {
    get() {
      throw new Error("not to be read");
    },
  });
}

const HOSTILE_PROXY: unknown = new Proxy(
  {},
  {
    getPrototypeOf() {
      throw new Error("no prototype");
    },
  },
);

describe("request", () => {
  it.each([[{ a: [1, null, "x"] }], ["text"], [0], [null], [new Uint8Array([1, 2, 3])], [undefined]])(
    "carries %j there and back",
    async (value) => {
      let got: unknown = "nothing";
      await one.client.respond("echo", (sent, info) => {
        got = sent;
        expect(info).toEqual({ topic: "echo" });
        return value;
      });
      expect(await asker.client.request("echo", value)).toEqual(value);
      expect(got).toEqual(value === undefined ? null : value);
    },
  );

  it("goes to the responders in turn, and to the asking one only when there is no other", async () => {
    await one.client.respond("who", () => "one");
    await two.client.respond("who.*", () => "never");
    await two.client.respond("who", () => "two");
    await asker.client.respond("who", () => "myself");
    const answers = [];
    for (let n = 0; n < 6; n++) answers.push(await asker.client.request("who"));
    expect(answers.filter((answer) => answer === "one").length).toBeGreaterThanOrEqual(2);
    expect(answers.filter((answer) => answer === "two").length).toBeGreaterThanOrEqual(2);
    expect(answers).not.toContain("myself");
    await one.client.close();
    await two.client.close();
    await turns();
    expect(await asker.client.request("who")).toBe("myself");
  });

  it("rejects with what the handler threw: name, message, code, and where", async () => {
    await one.client.respond("fail", () => {
      throw Object.assign(new TypeError("no such user"), { code: "E_USER" });
    });
    const error = await asker.client.request("fail").catch((error: unknown) => error);
    expect(error).toBeInstanceOf(RemoteError);
    expect(error).toMatchObject({
      name: "TypeError",
      message: "no such user",
      code: "E_USER",
      from: { id: 1, uid: "uid-1" },
    });
    expect((error as Error).stack).toContain("requests.test.ts");
    expect(one.reported).toEqual([]);
  });

  it.each([
    ["a string", () => Promise.reject("just text"), { name: "Error", message: "just text" }],
    ["an error of Choir's", () => () => {}, { name: "ChoirError", code: "ERR_CHOIR_VALUE" }],
    ["a number as its code", () => Promise.reject(Object.assign(new Error("x"), { code: 7 })), { code: 7 }],
    ["more than can be sent", () => "x".repeat(2_000_000), { code: "ERR_CHOIR_VALUE" }],
    ["nothing that has a text", () => Promise.reject(Object.create(null)), { message: "something that has no text" }],
    ["a message that is none", () => Promise.reject(Object.assign(new Error("x"), { message: 42 })), { message: "42" }],
    ["a code that throws", () => Promise.reject(hostile(new Error("mine"), "code")), { message: "mine" }],
    ["a proxy that throws", () => Promise.reject(HOSTILE_PROXY), { message: "something that has no text" }],
  ])("a handler that fails with %s", async (_, handler, expected) => {
    await one.client.respond("fail", handler);
    await expect(asker.client.request("fail")).rejects.toMatchObject(expected);
  });

  it("nobody responding, or no longer, is said at once", async () => {
    await expect(asker.client.request("nobody")).rejects.toMatchObject({ code: "ERR_CHOIR_NO_RESPONDER" });
    const responding = await one.client.respond("nobody", () => 1);
    expect(await asker.client.request("nobody")).toBe(1);
    await responding.unsubscribe();
    await responding.unsubscribe();
    await expect(asker.client.request("nobody")).rejects.toMatchObject({ code: "ERR_CHOIR_NO_RESPONDER" });
  });

  it("names at its deadline who was silent, and the broker forgets it", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      await one.client.respond("slow", () => new Promise(() => {}));
      const late = asker.client.request("slow", 1, { timeout: 70 }).catch((error: unknown) => error);
      await until(() => harness.broker.stats.requests === 1);
      vi.advanceTimersByTime(69);
      expect(await isSettled(late)).toBe(false);
      vi.advanceTimersByTime(1);
      expect(await late).toMatchObject({
        code: "ERR_CHOIR_TIMEOUT",
        message: 'Instance 1 did not answer the request "slow" within 70 ms',
      });
      await until(() => harness.broker.stats.requests === 0);
    } finally {
      vi.useRealTimers();
    }
  });

  it("ends at once when who was asked is gone", async () => {
    await one.client.respond("dies", () => new Promise(() => {}));
    const asked = asker.client.request("dies");
    await until(() => harness.broker.stats.requests === 1);
    one.ours.destroy();
    await expect(asked).rejects.toMatchObject({ code: "ERR_CHOIR_RESPONDER_GONE" });
    expect(harness.broker.stats.requests).toBe(0);
  });

  it("ends with the signal's reason, before and while it waits; a late answer is no fault", async () => {
    const { handler, answer } = held();
    await one.client.respond("slow", handler);
    const signal = AbortSignal.abort("before");
    await expect(asker.client.request("slow", 1, { signal })).rejects.toBe("before");
    const controller = new AbortController();
    const asked = asker.client.request("slow", 1, { signal: controller.signal });
    await until(() => harness.broker.stats.requests === 1);
    controller.abort("enough");
    await expect(asked).rejects.toBe("enough");
    await until(() => harness.broker.stats.requests === 0);
    answer("late");
    await turns();
    expect(one.broken).toEqual([]);
    expect(asker.broken).toEqual([]);
  });

  it("is refused beyond the limit of unanswered ones, and goes on when some are answered", async () => {
    const { handler, answer } = held();
    await one.client.respond("slow", handler);
    const asked = [1, 2, 3].map((value) => asker.client.request("slow", value));
    await expect(asker.client.request("slow")).rejects.toMatchObject({ code: "ERR_CHOIR_REQUEST_LIMIT" });
    answer("now");
    expect(await Promise.all(asked)).toEqual(["now", "now", "now"]);
    expect(await asker.client.request("slow")).toBe("now");
  });

  it.each([
    ["a wildcard", () => asker.client.request("a.*"), { code: "ERR_CHOIR_TOPIC" }],
    ["a value that is too long", () => asker.client.request("a", "x".repeat(2_000_000)), { code: "ERR_CHOIR_VALUE" }],
    ["a value that cannot be sent", () => asker.client.request("a", { f() {} }), { code: "ERR_CHOIR_VALUE" }],
    ["a timeout of 0", () => asker.client.request("a", 1, { timeout: 0 }), { name: "RangeError" }],
    ["no handler", () => one.client.respond("a", 1 as never), { name: "TypeError" }],
    ["two handlers", () => one.client.respond("taken", () => 1), { code: "ERR_CHOIR_TOPIC" }],
  ])("%s is refused, as a rejection", async (_, act, expected) => {
    await one.client.respond("taken", () => 1);
    await expect(act()).rejects.toMatchObject(expected);
  });

  it("rejects when the pipe closes, and after that", async () => {
    await one.client.respond("slow", () => new Promise(() => {}));
    const asked = asker.client.request("slow");
    await until(() => harness.broker.stats.requests === 1);
    asker.theirs.destroy();
    await expect(asked).rejects.toMatchObject({ code: "ERR_CHOIR_PUBSUB_CLOSED" });
    await expect(asker.client.request("slow")).rejects.toMatchObject({ code: "ERR_CHOIR_PUBSUB_CLOSED" });
    await expect(asker.client.respond("x", () => 1)).rejects.toMatchObject({ code: "ERR_CHOIR_PUBSUB_CLOSED" });
  });

  it("an instance that retires is asked no more, and answers what it was asked", async () => {
    const { handler, answer } = held();
    await one.client.respond("work", handler);
    const asked = asker.client.request("work");
    await until(() => harness.broker.stats.requests === 1);
    await two.client.respond("work", () => "two");
    await one.client.retire();
    for (let n = 0; n < 4; n++) expect(await asker.client.request("work")).toBe("two");
    answer("one");
    expect(await asked).toBe("one");
  });

  it("one that does not read is passed over while another does", async () => {
    harness = new Harness({ unreadLimit: 1024 });
    [asker, one] = [harness.connect(), harness.connect()];
    const stalled = harness.connectPipe();
    stalled.theirs.write(control(REQUEST_FRAME.respond, 1, "work"));
    stalled.theirs.write(control(FRAME.subscribe, 2, "news"));
    await one.client.respond("work", () => "one");
    await asker.client.flush();
    for (let n = 0; n < 4; n++) void asker.client.publish("news", "x".repeat(200_000));
    await until(() => harness.clock.timers > 0);
    harness.clock.advance(200);
    for (let n = 0; n < 4; n++) expect(await asker.client.request("work")).toBe("one");
  });
});

describe("requestAll", () => {
  it("gives every other instance's answer, and who failed", async () => {
    await asker.client.respond("stats", () => "never asked");
    await one.client.respond("stats", () => ({ n: 1 }));
    await two.client.respond("stats", () => Promise.reject(new RangeError("broken")));
    const { answers, failed, silent } = await asker.client.requestAll("stats");
    expect(answers).toEqual([{ from: { id: 1, uid: "uid-1" }, value: { n: 1 } }]);
    expect(failed).toMatchObject([{ from: { id: 2, uid: "uid-2" }, error: { name: "RangeError", message: "broken" } }]);
    expect(silent).toEqual([]);
    expect(harness.broker.stats.requests).toBe(0);
  });

  it("gives at the deadline what came, and names who was silent", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      await one.client.respond("stats", () => 1);
      await two.client.respond("stats", () => new Promise(() => {}));
      const asked = asker.client.requestAll("stats", null, { timeout: 100 });
      await turns();
      expect(await isSettled(asked)).toBe(false);
      vi.advanceTimersByTime(100);
      expect(await asked).toEqual({
        answers: [{ from: { id: 1, uid: "uid-1" }, value: 1 }],
        failed: [],
        silent: [{ id: 2, uid: "uid-2" }],
        unreached: false,
      });
      await until(() => harness.broker.stats.requests === 0);
    } finally {
      vi.useRealTimers();
    }
  });

  it("does not wait for who is gone, and counts it as silent", async () => {
    await one.client.respond("stats", () => 1);
    await two.client.respond("stats", () => new Promise(() => {}));
    const asked = asker.client.requestAll("stats");
    await turns();
    two.ours.destroy();
    expect(await asked).toMatchObject({ answers: [{ value: 1 }], silent: [{ id: 2 }] });
  });

  it("is empty at once when nobody responds", async () => {
    expect(await asker.client.requestAll("stats")).toEqual({ answers: [], failed: [], silent: [], unreached: false });
  });
});

describe("hostile frames of requests", () => {
  const withTail = (type: number, id: number, ...tail: (string | number[])[]): Buffer =>
    request(type, id, Buffer.concat(tail.map((part) => Buffer.from(part as string))));

  it.each([
    ["a pattern that is none", withTail(REQUEST_FRAME.respond, 1, "a..b")],
    ["a request without fields", withTail(REQUEST_FRAME.request, 1)],
    ["a request that ends in its topic", withTail(REQUEST_FRAME.request, 1, [0, 9], "a")],
    ["a request to a wildcard", withTail(REQUEST_FRAME.request, 1, [0, 3], "a.*")],
    ["a request with unknown flags", withTail(REQUEST_FRAME.request, 1, [128, 1], "a")],
    ["an answer without fields", withTail(REQUEST_FRAME.answer, 1)],
    ["an answer with unknown flags", withTail(REQUEST_FRAME.answer, 1, [0, 0, 64])],
    ["a frame that only the broker sends", withTail(REQUEST_FRAME.asked, 1, "[]")],
    ["a frame of no known type", withTail(0x1f, 1)],
  ])("%s ends the pipe with one error", async (_, bytes) => {
    const hostile = harness.connectPipe();
    hostile.theirs.write(bytes);
    await until(() => hostile.peer.closed);
    expect(hostile.broken).toHaveLength(1);
    expect(hostile.broken[0]).toMatchObject({ code: "ERR_CHOIR_FRAME" });
  });

  it("answers to what was never asked, or asked of others, are ignored", async () => {
    const liar = harness.connectPipe();
    readFrames(liar);
    const { handler, answer } = held();
    await one.client.respond("work", handler);
    const asked = asker.client.request("work");
    await until(() => harness.broker.stats.requests === 1);
    for (let id = 0; id < 20; id++) liar.theirs.write(withTail(REQUEST_FRAME.answer, id, [0, 0, 0], '"lie"'));
    await turns();
    expect(liar.broken).toEqual([]);
    answer("truth");
    expect(await asked).toBe("truth");
  });

  it("an answer that is no JSON fails that request only", async () => {
    const odd = harness.connectPipe();
    odd.theirs.write(control(REQUEST_FRAME.respond, 1, "odd"));
    const frames = readFrames(odd);
    await until(() => frames.length === 1);
    const asked = asker.client.request("odd");
    await until(() => frames.length === 2);
    odd.theirs.write(withTail(REQUEST_FRAME.answer, frames[1]!.id, [0, 0, 0], "{"));
    await expect(asked).rejects.toMatchObject({ code: "ERR_CHOIR_VALUE" });
    await one.client.respond("good", () => 1);
    expect(await asker.client.request("good")).toBe(1);
  });
});
