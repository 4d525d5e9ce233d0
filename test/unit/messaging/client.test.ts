import { describe, expect, it } from "vitest";
import { createLocalPubSub } from "../../../src/messaging/local.ts";
import type { MessageStream } from "../../../src/messaging/pubsub.ts";
import { FRAME } from "../../../src/messaging/frames.ts";
import { Harness, control, isSettled, message, settle, turns, until } from "./harness.ts";

function pair() {
  const harness = new Harness();
  const [a, b] = [harness.connect(), harness.connect()];
  return { harness, a, b, settled: () => settle([a.client, b.client]) };
}

async function take<T>(stream: MessageStream<T>, count: number): Promise<T[]> {
  const values: T[] = [];
  for await (const { value } of stream) {
    values.push(value);
    if (values.length === count) break;
  }
  return values;
}

describe("subscribe with a handler", () => {
  it("gives each subscription every message once, also where patterns overlap", async () => {
    const { a, b, settled } = pair();
    const got: string[] = [];
    for (const [name, topic] of [
      ["1", "a.b"],
      ["2", "a.b"],
      ["3", "a.*"],
      ["4", ">"],
      ["5", "other"],
    ] as const) {
      await b.client.subscribe<string>(topic, (value, info) =>
        got.push(`${name} ${value} ${info.topic} ${info.retained}`),
      );
    }
    await a.client.publish("a.b", "x");
    await settled();
    expect(got.toSorted()).toEqual(["1 x a.b false", "2 x a.b false", "3 x a.b false", "4 x a.b false"]);
  });

  it("never gives a client its own messages", async () => {
    const { a, b, settled } = pair();
    const got: unknown[] = [];
    for (const each of [a, b]) await each.client.subscribe("t", (value) => got.push([each === a ? "a" : "b", value]));
    await a.client.publish("t", 1);
    await settled();
    expect(got).toEqual([["b", 1]]);
  });

  it("gives the retained value to each new subscription and not again to the others", async () => {
    const { a, b, settled } = pair();
    await a.client.publish("t.1", "kept", { retain: true });
    const got: unknown[] = [];
    const listen = (name: string, topic: string) =>
      b.client.subscribe(topic, (value, { retained }) => got.push([name, value, retained]));
    await listen("first", "t.1");
    expect(got).toEqual([["first", "kept", true]]);
    await listen("second", "t.1");
    await listen("third", "t.*");
    await a.client.subscribe("t.1", (value) => got.push(["own", value]));
    expect(got.slice(1)).toEqual([
      ["second", "kept", true],
      ["third", "kept", true],
      ["own", "kept"],
    ]);
    await a.client.publish("t.1", "next", { retain: true });
    await settled();
    expect(got.slice(4)).toEqual([
      ["first", "next", false],
      ["second", "next", false],
      ["third", "next", false],
    ]);
  });

  it("does not give a new subscription a message both as retained and as live", async () => {
    const { a, b, settled } = pair();
    await b.client.subscribe("t", () => {});
    const got: unknown[] = [];
    const published = a.client.publish("t", 1, { retain: true });
    const subscribed = b.client.subscribe("t", (value, { retained }) => got.push([value, retained]));
    await Promise.all([published, subscribed]);
    await settled();
    expect(got).toHaveLength(1);
  });

  it("logs a handler that throws or rejects, with its topic, and goes on", async () => {
    const { a, b, settled } = pair();
    const got: unknown[] = [];
    await b.client.subscribe("t.*", () => {
      throw new Error("thrown");
    });
    await b.client.subscribe("t.*", async () => {
      throw new Error("rejected");
    });
    await b.client.subscribe("t.*", (value) => got.push(value));
    await a.client.publish("t.1", 1);
    await a.client.publish("t.2", 2);
    await settled();
    expect(got).toEqual([1, 2]);
    expect(b.reported.map(({ error, topic }) => `${String(error)}, ${topic}`).toSorted()).toEqual([
      "Error: rejected, t.1",
      "Error: rejected, t.2",
      "Error: thrown, t.1",
      "Error: thrown, t.2",
    ]);
  });

  it("goes on when what was thrown cannot be logged, of a leader too, and logs its text", async () => {
    const logged: string[] = [];
    // As a logger that reads the properties of an error.
    const log = (error: unknown, topic: string): void => {
      logged.push(`${topic}: ${JSON.stringify(error)} ${String(error)}`);
    };
    const hostile = Object.defineProperty(new Error("mine"), "detail", {
      enumerable: true,
      get() {
        throw new Error("not to be read");
      },
    });
    const local = createLocalPubSub(2, { onHandlerError: log, onLeaderError: log });
    const [a, b] = [local.clients[0]!, local.clients[1]!];
    const got: unknown[] = [];
    await b.subscribe("t", () => {
      throw hostile;
    });
    await b.subscribe("t", (value) => got.push(value));
    const leadership = await b.locks.leader("cron", () => Promise.reject(hostile));
    await a.publish("t", 1);
    await a.publish("t", 2);
    await until(() => got.length === 2);
    expect(logged.toSorted((x, y) => x.localeCompare(y))).toEqual([
      "cron: {} Error: mine",
      "t: {} Error: mine",
      "t: {} Error: mine",
    ]);
    await leadership.stop();
    await local.close();
  });

  it("logs what is no JSON and goes on", async () => {
    const { harness, b } = pair();
    const got: unknown[] = [];
    await b.client.subscribe("t", (value) => got.push(value));
    harness.connectPipe().theirs.write(Buffer.concat([message("t", "{oops"), message("t", "2")]));
    await until(() => got.length === 1);
    expect(b.reported).toEqual([{ error: expect.objectContaining({ code: "ERR_CHOIR_VALUE" }), topic: "t" }]);
  });

  it("gives nothing after unsubscribe, not even what is on its way, and leaves the others", async () => {
    const { a, b, settled } = pair();
    const got: unknown[] = [];
    const first = await b.client.subscribe("t", async (value) => {
      got.push(["first", value]);
      await Promise.all([first.unsubscribe(), second.unsubscribe()]);
    });
    const second = await b.client.subscribe("t", (value) => got.push(["second", value]));
    const third = await b.client.subscribe("t", (value) => got.push(["third", value]));
    await Promise.all([a.client.publish("t", 1), a.client.publish("t", 2)]);
    await settled();
    expect(got).toEqual([
      ["first", 1],
      ["third", 1],
      ["third", 2],
    ]);
    await third.unsubscribe();
    await third.unsubscribe();
    await a.client.publish("t", 3);
    await settled();
    expect(got).toHaveLength(3);
  });

  it("holds when it is subscribed again right after the last unsubscribe", async () => {
    const { a, b, settled } = pair();
    const got: unknown[] = [];
    const first = await b.client.subscribe("t", () => {});
    const gone = first.unsubscribe();
    await b.client.subscribe("t", (value) => got.push(value));
    await gone;
    await a.client.publish("t", 1);
    await settled();
    expect(got).toEqual([1]);
  });

  it("rejects wrong patterns and handlers", async () => {
    const { b } = pair();
    await expect(b.client.subscribe("a..b", () => {})).rejects.toMatchObject({ code: "ERR_CHOIR_TOPIC" });
    // @ts-expect-error: JavaScript callers
    await expect(b.client.subscribe("a", 42)).rejects.toThrow(
      'Handler of subscription "a" must be a function, got 42 (number)',
    );
  });
});

describe("subscribe for a loop", () => {
  it("is active at once, has ready and no then, and ends with the loop", async () => {
    const { a, b } = pair();
    const stream = b.client.subscribe<number>("t");
    expect("then" in stream).toBe(false);
    await stream.ready;
    for (const n of [1, 2, 3]) await a.client.publish("t", n);
    expect(await take(stream, 2)).toEqual([1, 2]);
    await b.client.flush();
    await a.client.publish("t", 4);
    await settle([a.client, b.client]);
    expect(await stream[Symbol.asyncIterator]().next()).toEqual({ done: true, value: undefined });
  });

  it("gives topic and whether it is retained", async () => {
    const { a, b } = pair();
    await a.client.publish("t.1", 1, { retain: true });
    const reader = b.client.subscribe("t.>")[Symbol.asyncIterator]();
    expect(await reader.next()).toEqual({ done: false, value: { value: 1, topic: "t.1", retained: true } });
    const next = reader.next();
    await a.client.publish("t.2", 2);
    expect(await next).toEqual({ done: false, value: { value: 2, topic: "t.2", retained: false } });
  });

  it("throws at once for a wrong pattern", () => {
    const { b } = pair();
    expect(() => b.client.subscribe("a.>.b")).toThrow(expect.objectContaining({ code: "ERR_CHOIR_TOPIC" }));
  });

  it("drops the oldest when nobody reads, and says so once", async () => {
    const { a, b, settled } = pair();
    const stream = b.client.subscribe<number>("t");
    await stream.ready;
    for (let n = 0; n < 10_500; n++) await a.client.publish("t", n);
    await settled();
    expect(b.reported).toEqual([{ error: expect.objectContaining({ code: "ERR_CHOIR_SLOW_READER" }), topic: "t" }]);
    expect(await take(stream, 10_000)).toEqual(Array.from({ length: 10_000 }, (_, at) => at + 500));
  });

  it("bounds bytes too", async () => {
    const { a, b, settled } = pair();
    const stream = b.client.subscribe<Uint8Array>("t");
    await stream.ready;
    for (let n = 0; n < 30; n++) await a.client.publish("t", new Uint8Array(100_000).fill(n));
    await settled();
    expect(b.reported).toHaveLength(1);
    expect((await take(stream, 10)).map((bytes) => bytes[0])).toEqual(Array.from({ length: 10 }, (_, at) => at + 20));
  });

  it("ends when the client is closed", async () => {
    const { b } = pair();
    const stream = b.client.subscribe("t");
    const reading = stream[Symbol.asyncIterator]().next();
    await stream.ready;
    await b.client.close();
    expect(await reading).toEqual({ done: true, value: undefined });
  });
});

describe("publish", () => {
  it("refuses an empty topic, as the very first one too", async () => {
    const { a } = pair();
    await expect(a.client.publish("", 1)).rejects.toMatchObject({ code: "ERR_CHOIR_TOPIC" });
  });

  it("keeps values, bytes and order", async () => {
    const { a, b, settled } = pair();
    const values = [
      null,
      true,
      1.5,
      "grüße 😀",
      [1, [2]],
      { a: { b: "c" } },
      "x".repeat(200_000),
      new Uint8Array([0, 1, 255]),
      new Uint8Array(0),
      0,
    ];
    const got: unknown[] = [];
    await b.client.subscribe("t", (value) => got.push(value));
    for (const value of values) await a.client.publish("t", value);
    await a.client.publish("t", Buffer.from("buffer"));
    await settled();
    expect(got).toEqual([...values, new Uint8Array(Buffer.from("buffer"))]);
  });

  it("takes the value as it is at the call", async () => {
    const { a, b, settled } = pair();
    const got: unknown[] = [];
    await b.client.subscribe("t", (value) => got.push(value));
    const bytes = new Uint8Array([1]);
    const object = { n: 1 };
    void a.client.publish("t", bytes);
    void a.client.publish("t", object);
    bytes[0] = 2;
    object.n = 2;
    await settled();
    expect(got).toEqual([new Uint8Array([1]), { n: 1 }]);
  });

  it("sends up to 1 MB and rejects more", async () => {
    const { a, b, settled } = pair();
    const lengths: number[] = [];
    await b.client.subscribe<string | Uint8Array>("t", ({ length }) => lengths.push(length));
    await a.client.publish("t", new Uint8Array(1024 * 1024));
    await a.client.publish("t", "x".repeat(1024 * 1024 - 2));
    for (const value of [new Uint8Array(1024 * 1024 + 1), "x".repeat(1024 * 1024 - 1), "ü".repeat(600_000)]) {
      await expect(a.client.publish("t", value)).rejects.toMatchObject({ code: "ERR_CHOIR_VALUE" });
    }
    await settled();
    expect(lengths).toEqual([1024 * 1024, 1024 * 1024 - 2]);
    expect(a.broken).toEqual([]);
  });

  it("rejects wrong topics and values, also after a good one, and sends nothing of them", async () => {
    const { a, b, settled } = pair();
    const got: unknown[] = [];
    await b.client.subscribe(">", (value) => got.push(value));
    await a.client.publish("t", 1);
    await expect(a.client.publish("t.*", 1)).rejects.toMatchObject({ code: "ERR_CHOIR_TOPIC" });
    await expect(a.client.publish("t", { a: [() => {}] })).rejects.toThrow("value.a[0] is a function");
    await expect(a.client.publish("t", undefined, { retain: true })).rejects.toMatchObject({ code: "ERR_CHOIR_VALUE" });
    await expect(a.client.clear("t.*")).rejects.toMatchObject({ code: "ERR_CHOIR_TOPIC" });
    await a.client.publish("t", 2);
    await settled();
    expect(got).toEqual([1, 2]);
  });

  it("sends all of one turn in one write", async () => {
    const { harness } = pair();
    const pipe = harness.connect();
    const writes: number[] = [];
    pipe.ours.on("data", (chunk: Buffer) => writes.push(chunk.length));
    for (let n = 0; n < 100; n++) await pipe.client.publish("t", n);
    await pipe.client.flush();
    expect(writes).toHaveLength(1);
  });

  it("lets the event loop turn in a tight loop", async () => {
    const { a } = pair();
    let turned = 0;
    const count = () => {
      turned++;
      setImmediate(count);
    };
    setImmediate(count);
    for (let n = 0; n < 20_000; n++) await a.client.publish("t", "x".repeat(100));
    expect(turned).toBeGreaterThan(20);
  });

  it("waits while the broker does not read, and goes on when it does", async () => {
    const { harness } = pair();
    const pipe = harness.connect();
    pipe.ours.pause();
    let accepted = 0;
    const publishing = (async () => {
      for (; accepted < 1000; accepted++) await pipe.client.publish("t", "x".repeat(1000));
    })();
    expect(await isSettled(publishing)).toBe(false);
    expect(accepted).toBeLessThan(400);
    pipe.ours.resume();
    await publishing;
    expect(accepted).toBe(1000);
  });
});

describe("a handler that publishes a lot at once", () => {
  it("harms neither side, although the pipe delivers during writes", async () => {
    const { a, b, settled } = pair();
    const got: number[] = [];
    await b.client.subscribe<number>("ask", (n) => {
      for (let each = 0; each < 50; each++) void b.client.publish("answer", { n, each, fill: "x".repeat(5000) });
    });
    await a.client.subscribe<{ n: number; each: number }>("answer", ({ n, each }) => got.push(n * 50 + each));
    for (let n = 0; n < 10; n++) await a.client.publish("ask", n);
    await settled();
    await settled();
    expect(got).toEqual(Array.from({ length: 500 }, (_, at) => at));
  });
});

describe("handlers that answer each other within one write", () => {
  it("see every subscription's messages in order", async () => {
    const { a, b, settled } = pair();
    const fill = "x".repeat(70_000);
    const seen: number[] = [];
    await b.client.subscribe<number>("ask", (n) => void b.client.publish("answer", { n, fill }));
    await b.client.subscribe<number>("ask", (n) => seen.push(n));
    await b.client.subscribe("back", () => {});
    await a.client.subscribe("answer", () => void a.client.publish("back", fill));
    for (let n = 0; n < 20; n++) void a.client.publish("ask", n);
    await settled();
    await settled();
    expect(seen).toEqual(Array.from({ length: 20 }, (_, n) => n));
  });
});

describe("closing", () => {
  it("rejects everything after the pipe has closed, and what waits", async () => {
    const { a } = pair();
    const waiting = [a.client.flush(), a.client.subscribe("t", () => {}), a.client.publish("t", 1, { retain: true })];
    const results = Promise.allSettled(waiting);
    a.theirs.destroy();
    for (const result of await results)
      expect(result).toMatchObject({ status: "rejected", reason: { code: "ERR_CHOIR_PUBSUB_CLOSED" } });
    for (const late of [
      a.client.publish("t", 1),
      a.client.subscribe("t", () => {}),
      a.client.flush(),
      a.client.clear("t"),
    ]) {
      await expect(late).rejects.toMatchObject({ code: "ERR_CHOIR_PUBSUB_CLOSED" });
    }
    await expect(a.client.subscribe("t").ready).rejects.toMatchObject({ code: "ERR_CHOIR_PUBSUB_CLOSED" });
  });

  it("rejects who waits under backpressure", async () => {
    const { a } = pair();
    a.ours.pause();
    for (let n = 0; n < 500; n++) void a.client.publish("t", "x".repeat(1000)).catch(() => {});
    const waiting = a.client.publish("t", 1);
    expect(await isSettled(waiting)).toBe(false);
    a.theirs.destroy();
    await expect(waiting).rejects.toMatchObject({ code: "ERR_CHOIR_PUBSUB_CLOSED" });
  });

  it("closes when the broker does, with unsubscribe still fine", async () => {
    const { harness, a } = pair();
    const subscription = await a.client.subscribe("t", () => {});
    harness.broker.close();
    // A pair within the process does not carry the end of one side to the other, as a socket does.
    a.theirs.push(null);
    await until(() => a.theirs.destroyed);
    await subscription.unsubscribe();
    await expect(a.client.flush()).rejects.toMatchObject({ code: "ERR_CHOIR_PUBSUB_CLOSED" });
  });

  it("sends first what was accepted", async () => {
    const { a, b } = pair();
    const got: unknown[] = [];
    await b.client.subscribe("t", (value) => got.push(value));
    await a.client.publish("t", 1);
    await a.client.close();
    await a.client.close();
    await until(() => got.length === 1);
    expect(a.peer.closed).toBe(true);
    expect(a.broken).toEqual([]);
  });

  it("ends the client when the broker's bytes are no frames", async () => {
    const { a } = pair();
    const waiting = a.client.flush();
    a.ours.write("garbage\n");
    await expect(waiting).rejects.toMatchObject({
      code: "ERR_CHOIR_PUBSUB_CLOSED",
      cause: { code: "ERR_CHOIR_FRAME" },
    });
  });

  it("ignores answers to requests it did not make", async () => {
    const { a } = pair();
    a.ours.write(Buffer.concat([control(FRAME.ack, 99), control(FRAME.begin, 98), message("t", "1", 2)]));
    await turns();
    await a.client.flush();
    expect(a.reported).toEqual([]);
  });
});

describe("createLocalPubSub", () => {
  it("connects clients that see each other", async () => {
    const local = createLocalPubSub(3, {
      onHandlerError: (error) => {
        throw error;
      },
    });
    const [a, b, c] = local.clients;
    const got: unknown[] = [];
    await b?.subscribe("t", (value) => got.push(["b", value]));
    await c?.subscribe("t", (value) => got.push(["c", value]));
    await a?.publish("t", 1);
    await settle(local.clients);
    expect(got).toEqual([
      ["b", 1],
      ["c", 1],
    ]);
    await local.close();
    await expect(a?.flush()).rejects.toMatchObject({ code: "ERR_CHOIR_PUBSUB_CLOSED" });
  });
});

describe("an eager client", () => {
  it("has written the turn's first message when publish returns, and the others at the end of the turn", async () => {
    const harness = new Harness();
    const client = harness.connect({ eager: true });
    const got: number[] = [];
    const other = harness.connect();
    await other.client.subscribe<number>("a", (n) => got.push(n));
    await turns();
    const published = [1, 2, 3].map((n) => client.client.publish("a", n));
    expect(got).toEqual([1]);
    await Promise.all(published);
    await turns();
    expect(got).toEqual([1, 2, 3]);
  });
});
