import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FLAG, FRAME, LOCK_FRAME, REQUEST_FRAME } from "../../../src/messaging/frames.ts";
import { historyOptions } from "../../helpers/histories.ts";
import {
  Harness,
  control,
  isSettled,
  message,
  readFrames,
  settle,
  turns,
  until,
  type Connected,
  request,
} from "./harness.ts";

const MB = 1024 * 1024;
const KB10 = "x".repeat(10_000);

async function subscribedPipe(harness: Harness, pattern: string): Promise<Connected> {
  const pipe = harness.connectPipe();
  pipe.theirs.write(control(FRAME.subscribe, 1, pattern));
  await turns();
  return pipe;
}

describe("routing", () => {
  it("forwards the publisher's own bytes to every other subscriber", async () => {
    const harness = new Harness();
    const from = await subscribedPipe(harness, ">");
    const to = await Promise.all([
      subscribedPipe(harness, "a.*"),
      subscribedPipe(harness, "a.b"),
      subscribedPipe(harness, "b"),
    ]);
    const got = [from, ...to].map((pipe) => readFrames(pipe));
    const frames = [
      message("a.b", '{"n":1}'),
      message("a.b", new Uint8Array([0, 255])),
      message("a.c", "not even JSON"),
    ];
    from.theirs.write(Buffer.concat(frames));
    await turns();
    const messages = got.map((all) =>
      all.filter((each) => each.type === FRAME.message).map((each) => each.bytes.toString("hex")),
    );
    const hex = frames.map((frame) => frame.toString("hex"));
    expect(messages).toEqual([[], hex, hex.slice(0, 2), []]);
  });

  it("sends a message once to a subscriber with several matching patterns", async () => {
    const harness = new Harness();
    const from = harness.connectPipe();
    const to = await subscribedPipe(harness, "a.*");
    to.theirs.write(
      Buffer.concat([
        control(FRAME.subscribe, 2, "a.b"),
        control(FRAME.subscribe, 3, ">"),
        control(FRAME.subscribe, 4, "a.b"),
      ]),
    );
    await turns();
    const got = readFrames(to);
    from.theirs.write(message("a.b", "1"));
    await turns();
    expect(got.filter((each) => each.type === FRAME.message)).toHaveLength(1);
  });

  it("acknowledges flush after what came before it, and unsubscribe stops the messages", async () => {
    const harness = new Harness();
    const from = harness.connectPipe();
    const to = await subscribedPipe(harness, "a");
    const answers = readFrames(from);
    const got = readFrames(to);
    from.theirs.write(Buffer.concat([message("a", "1"), control(FRAME.flush, 9)]));
    await turns();
    expect(answers.map(({ type, id }) => [type, id])).toEqual([[FRAME.ack, 9]]);
    to.theirs.write(control(FRAME.unsubscribe, 2, "a"));
    await turns();
    from.theirs.write(message("a", "2"));
    await turns();
    expect(got.map(({ type }) => type)).toEqual([FRAME.begin, FRAME.ack, FRAME.message, FRAME.ack]);
  });

  it("purges a subscriber as soon as its pipe ends, errs or is closed", async () => {
    const harness = new Harness();
    const from = harness.connectPipe();
    const ended = await subscribedPipe(harness, "a");
    const failed = await subscribedPipe(harness, "a");
    const closed = await subscribedPipe(harness, "a");
    const left = await subscribedPipe(harness, "a");
    ended.theirs.end();
    failed.ours.destroy(new Error("ECONNRESET"));
    closed.peer.close();
    await until(() => ended.peer.closed && failed.peer.closed);
    expect(harness.broker.stats).toMatchObject({ peers: 2, subscriptions: 1 });
    const got = readFrames(left);
    from.theirs.write(message("a", "1"));
    await turns();
    expect(got.filter(({ type }) => type === FRAME.message)).toHaveLength(1);
    for (const pipe of [ended, failed, closed]) {
      expect(pipe.peer).toMatchObject({ closed: true, queuedBytes: 0 });
      expect(pipe.ours.destroyed).toBe(true);
      expect(pipe.broken).toEqual([]);
    }
  });
});

describe("hostile bytes", () => {
  const cases: [string, Buffer][] = [
    ["text", Buffer.from("hello, world\n")],
    ["a huge length", Buffer.from([0xff, 0, 0, 0])],
    ["a message that ends within its topic", Buffer.from([0, 0, 0, 4, FRAME.message, 0, 200, 97])],
    ["a message without fields", Buffer.from([0, 0, 0, 1, FRAME.message])],
    ["a message to a wildcard", message("a.*", "1")],
    ["a message with an empty topic", message("", "1")],
    ["a message that claims to be a retained one", message("a", "1", FLAG.retained)],
    ["a value over 1 MB", message("a", new Uint8Array(MB + 1))],
    ["an answer", control(FRAME.ack, 1)],
    ["a malformed pattern", control(FRAME.subscribe, 1, "a..b")],
    ["a clear of a wildcard", control(FRAME.clear, 1, "a.*")],
    ["retain without a message", Buffer.concat([control(FRAME.retain, 1), control(FRAME.flush, 2)])],
    ["a request without an id", Buffer.from([0, 0, 0, 2, FRAME.flush, 0])],
  ];
  it.each(cases)("end the pipe with one error: %s", async (_, bytes) => {
    const harness = new Harness();
    const hostile = harness.connectPipe();
    const [a, b] = [harness.connect(), harness.connect()];
    const got: unknown[] = [];
    await b.client.subscribe("ok", (value) => got.push(value));
    hostile.theirs.write(Buffer.concat([message("ok", '"before"'), bytes, message("ok", '"after"')]));
    hostile.theirs.write(bytes);
    await until(() => hostile.ours.destroyed);
    await turns();
    expect(hostile.broken).toEqual([expect.objectContaining({ code: "ERR_CHOIR_FRAME" })]);
    await a.client.publish("ok", "others");
    await settle([a.client, b.client]);
    expect(got).toEqual(["before", "others"]);
  });

  it("harm nobody else when they are random", async () => {
    const harness = new Harness();
    const [a, b] = [harness.connect(), harness.connect()];
    const got: unknown[] = [];
    await b.client.subscribe("ok", (value) => got.push(value));
    await b.client.respond("echo", (value) => value);
    let sent = 0;
    const types = [...Object.values(REQUEST_FRAME), ...Object.values(LOCK_FRAME)];
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      // Frames of requests and locks whose ids are right and whose fields may be.
      fc
        .tuple(fc.constantFrom(...types), fc.nat(3), fc.uint8Array({ maxLength: 12 }))
        .map(([type, id, tail]) => request(type, id, tail)),
      fc.nat(3).map((id) => request(LOCK_FRAME.lock, id, Buffer.from("\x00lock"))),
      fc.nat(3).map((id) => request(REQUEST_FRAME.request, id, Buffer.from("\x08\x04echo1"))),
      fc.constant(control(REQUEST_FRAME.respond, 1, "echo")),
      fc.constant(control(FRAME.subscribe, 1, ">")),
      fc.constant(control(FRAME.retain, 1)),
      fc.constant(message("other", "1")),
      fc.constant(control(FRAME.flush, 1).subarray(0, 6)),
    );
    const run = fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
      const hostile = harness.connectPipe();
      for (const bytes of pieces) hostile.theirs.write(bytes);
      hostile.theirs.end();
      await until(() => hostile.ours.destroyed);
      expect(hostile.broken.length).toBeLessThanOrEqual(1);
      // What it held, asked and was to answer has ended with it.
      expect(await a.client.locks.request("lock", () => a.client.request("echo", sent))).toBe(sent);
      expect(harness.broker.stats).toMatchObject({ peers: 2, requests: 0, locks: 0 });
      await a.client.publish("ok", sent++);
    });
    await fc.assert(run, historyOptions(150));
    await settle([a.client, b.client]);
    expect(got).toEqual(Array.from({ length: sent }, (_, at) => at));
  });

  it("are no error when a dying instance leaves half a frame", async () => {
    const harness = new Harness();
    const pipe = harness.connectPipe();
    pipe.theirs.end(message("a", "123").subarray(0, 8));
    await until(() => pipe.peer.closed);
    expect(pipe.broken).toEqual([]);
  });
});

describe("retained values", () => {
  it("come between begin and ack, marked", async () => {
    const harness = new Harness();
    const from = harness.connectPipe();
    const answers = readFrames(from);
    for (const [id, frame] of [
      message("a.1", "1"),
      message("a.2", "2"),
      message("a.1", "3"),
      message("b", "4"),
    ].entries()) {
      from.theirs.write(Buffer.concat([control(FRAME.retain, id), frame]));
    }
    from.theirs.write(control(FRAME.clear, 7, "b"));
    await turns();
    expect(answers.map(({ type, id }) => [type, id])).toEqual([0, 1, 2, 3, 7].map((id) => [FRAME.ack, id]));
    const pipe = harness.connectPipe();
    const got = readFrames(pipe);
    pipe.theirs.write(control(FRAME.subscribe, 5, ">"));
    await turns();
    const hex = (frame: Buffer) => frame.toString("hex");
    const expected = [
      control(FRAME.begin, 5),
      message("a.1", "3", FLAG.retained),
      message("a.2", "2", FLAG.retained),
      control(FRAME.ack, 5),
    ];
    expect(got.map(({ bytes }) => hex(bytes))).toEqual(expected.map(hex));
    expect(harness.broker.stats).toMatchObject({ retained: 2, retainedBytes: 2 * message("a.1", "3").length });
  });

  it("are refused over the limits, and then not delivered either", async () => {
    const harness = new Harness({ maxRetained: 2, maxRetainedBytes: 1000 });
    const [a, b] = [harness.connect(), harness.connect()];
    const got: unknown[] = [];
    await b.client.subscribe(">", (value) => got.push(value));
    await a.client.publish("one", 1, { retain: true });
    await a.client.publish("two", 2, { retain: true });
    await expect(a.client.publish("three", 3, { retain: true })).rejects.toMatchObject({
      code: "ERR_CHOIR_RETAINED_LIMIT",
      message: 'Value of topic "three" cannot be retained: 2 values are, which is the limit',
    });
    await expect(a.client.publish("two", "x".repeat(1000), { retain: true })).rejects.toMatchObject({
      code: "ERR_CHOIR_RETAINED_LIMIT",
      message: expect.stringContaining("the limit is 1000"),
    });
    await a.client.publish("two", 22, { retain: true });
    await a.client.clear("one");
    await a.client.publish("three", 33, { retain: true });
    await settle([a.client, b.client]);
    expect(got).toEqual([1, 2, 22, 33]);
    const kept: unknown[] = [];
    await b.client.subscribe(">", (value, { topic, retained }) => kept.push([topic, value, retained]));
    expect(kept).toEqual([
      ["two", 22, true],
      ["three", 33, true],
    ]);
  });
});

describe("overload", () => {
  async function overloaded(count: number) {
    const harness = new Harness();
    const publisher = harness.connect();
    const stopped = await subscribedPipe(harness, "load");
    const good = harness.connect();
    const got: number[] = [];
    await good.client.subscribe<{ n: number }>("load", ({ n }) => got.push(n));
    for (let n = 0; n < count; n++) void publisher.client.publish("load", { n, KB10 });
    const flushed = publisher.client.flush();
    return { harness, publisher, stopped, good, got, flushed };
  }

  function numberOf(bytes: Buffer): number {
    return (JSON.parse(bytes.toString("utf8", 7 + "load".length)) as { n: number }).n;
  }

  it("makes publishers wait for a subscriber, but 100 ms at most; then it loses its oldest and is reported once", async () => {
    const { harness, stopped, publisher, good, got, flushed } = await overloaded(500);
    expect(await isSettled(flushed)).toBe(false);
    expect(stopped.peer.queuedBytes).toBeGreaterThan(MB);
    expect(stopped.peer.queuedBytes).toBeLessThan(MB + 300_000);
    harness.clock.advance(99);
    expect(await isSettled(flushed)).toBe(false);
    expect(stopped.overloads).toEqual([]);
    harness.clock.advance(1);
    await flushed;
    expect(stopped.overloads).toHaveLength(1);
    expect(stopped.peer.queuedBytes).toBeLessThanOrEqual(MB);
    await settle([publisher.client, good.client]);
    expect(got).toEqual(Array.from({ length: 500 }, (_, n) => n));
    expect(good.overloads).toEqual([]);

    const frames = readFrames(stopped);
    await until(() => stopped.recoveries.length === 1 && stopped.peer.queuedBytes === 0);
    await turns();
    const read = frames.filter(({ type }) => type === FRAME.message).map(({ bytes }) => numberOf(bytes));
    expect(read.at(-1)).toBe(499);
    expect(read).toEqual(read.toSorted((a, b) => a - b));
    expect(new Set(read).size).toBe(read.length);
    const [{ dropped, droppedBytes } = { dropped: 0, droppedBytes: 0 }] = stopped.recoveries;
    expect(dropped).toBe(500 - read.length);
    expect(droppedBytes).toBeGreaterThan(dropped * 10_000);
    // The ones that are missing are one gap: what the socket had, then the newest.
    const gaps = read.filter((n, at) => n !== (read[at - 1] ?? -1) + 1);
    expect(gaps).toHaveLength(1);
    expect(harness.clock.timers).toBe(0);
  });

  it("counts what it drops one by one, also where short messages to different topics come in turn", async () => {
    const harness = new Harness({ unreadLimit: 50_000 });
    const publisher = harness.connect();
    const stopped = await subscribedPipe(harness, "odd.*");
    const total = 20_000;
    for (let n = 0; n < total; n++) void publisher.client.publish(n % 2 === 0 ? "even" : `odd.${n}`, n);
    const flushed = publisher.client.flush();
    await until(() => harness.clock.timers === 1);
    harness.clock.advance(100);
    await flushed;
    expect(stopped.peer.queuedBytes).toBeLessThanOrEqual(50_000);
    const frames = readFrames(stopped);
    await until(() => stopped.recoveries.length === 1 && stopped.peer.queuedBytes === 0);
    await turns();
    const read = frames.filter(({ type }) => type === FRAME.message).map(({ bytes }) => bytes.toString("latin1", 7));
    expect(read.at(-1)).toBe(`odd.${total - 1}${total - 1}`);
    expect(stopped.recoveries[0]?.dropped).toBe(total / 2 - read.length);
  });

  it("is over without a loss when the subscriber reads in time", async () => {
    const { harness, stopped, flushed } = await overloaded(500);
    expect(await isSettled(flushed)).toBe(false);
    const frames = readFrames(stopped);
    await flushed;
    await until(() => frames.filter(({ type }) => type === FRAME.message).length === 500);
    expect(stopped.overloads).toEqual([]);
    expect(harness.clock.timers).toBe(0);
  });

  it("keeps the order of messages and answers", async () => {
    const { harness, publisher, stopped } = await overloaded(50);
    await publisher.client.flush();
    stopped.theirs.write(control(FRAME.flush, 77));
    await turns();
    for (let n = 50; n < 60; n++) await publisher.client.publish("load", { n, KB10 });
    await publisher.client.flush();
    expect(stopped.peer.queuedBytes).toBeGreaterThan(300_000);
    const frames = readFrames(stopped);
    await until(() => frames.length === 63);
    expect(frames.findIndex(({ id }) => id === 77)).toBe(52);
    expect(harness.clock.timers).toBe(0);
  });

  it("is reported again when the limit is crossed again", async () => {
    const { harness, publisher, stopped, flushed } = await overloaded(300);
    await turns();
    harness.clock.advance(100);
    await flushed;
    stopped.theirs.resume();
    await until(() => stopped.recoveries.length === 1 && stopped.peer.queuedBytes === 0);
    stopped.theirs.pause();
    for (let n = 0; n < 300; n++) void publisher.client.publish("load", { n, KB10 });
    await until(() => harness.clock.timers === 1);
    harness.clock.advance(100);
    await publisher.client.flush();
    expect(stopped.overloads).toHaveLength(2);
  });

  it("holds only those who publish to the subscriber that is behind", async () => {
    const { harness, flushed } = await overloaded(300);
    const [a, b] = [harness.connect(), harness.connect()];
    const got: unknown[] = [];
    await b.client.subscribe("other", (value) => got.push(value));
    await a.client.publish("other", 1);
    await settle([a.client, b.client]);
    expect(got).toEqual([1]);
    expect(await isSettled(flushed)).toBe(false);
  });

  it("lets publishers go when the subscriber that is behind dies", async () => {
    const { harness, stopped, flushed } = await overloaded(300);
    expect(await isSettled(flushed)).toBe(false);
    stopped.ours.destroy();
    await flushed;
    expect(harness.clock.timers).toBe(0);
  });

  it("keeps answers and drops messages around them", async () => {
    const { harness, stopped, flushed } = await overloaded(300);
    await turns();
    stopped.theirs.write(control(FRAME.flush, 77));
    await turns();
    harness.clock.advance(100);
    await flushed;
    const frames = readFrames(stopped);
    await until(() => stopped.peer.queuedBytes === 0);
    await turns();
    expect(frames.filter(({ type }) => type === FRAME.ack).map(({ id }) => id)).toEqual([1, 77]);
  });

  it("does not read from an instance that does not read its answers", async () => {
    const harness = new Harness();
    const [a, b] = [harness.connect(), harness.connect()];
    await a.client.publish("big", "x".repeat(500_000), { retain: true });
    const got: unknown[] = [];
    await b.client.subscribe("from-greedy", (value) => got.push(value));
    const greedy = harness.connectPipe();
    // In one chunk: what is left of it must be handled later although nothing more comes.
    const requests = Array.from({ length: 1000 }, (_, id) => control(FRAME.subscribe, id, "big"));
    greedy.theirs.write(Buffer.concat([...requests, message("from-greedy", "1")]));
    await turns();
    expect(got).toEqual([]);
    const frames = readFrames(greedy);
    await until(() => frames.filter(({ type }) => type === FRAME.ack).length === 1000);
    await until(() => got.length === 1);
    expect(frames.filter(({ type }) => type === FRAME.message)).toHaveLength(1000);
  });

  it("refuses more patterns than an instance may have", async () => {
    const { client } = new Harness({ maxPatterns: 2 }).connect();
    await client.subscribe("a", () => {});
    const second = await client.subscribe("b", () => {});
    await client.subscribe("b", () => {});
    await expect(client.subscribe("c", () => {})).rejects.toMatchObject({ code: "ERR_CHOIR_SUBSCRIPTION_LIMIT" });
    const stream = client.subscribe("d");
    await expect(stream.ready).rejects.toMatchObject({ code: "ERR_CHOIR_SUBSCRIPTION_LIMIT" });
    await expect(stream[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "ERR_CHOIR_SUBSCRIPTION_LIMIT" });
    expect(second.topic).toBe("b");
  });
});
