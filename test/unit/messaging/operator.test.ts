/** What the people who run the app publish and see, over the same broker as the instances. */
import { beforeEach, describe, expect, it } from "vitest";
import { Operator, type ListenerSink } from "../../../src/messaging/operator.ts";
import { Harness, message, settle, turns, until, type Connection } from "./harness.ts";

let harness: Harness;
let operator: Operator;
let one: Connection;

beforeEach(() => {
  harness = new Harness({ unreadLimit: 64 * 1024 });
  operator = new Operator(harness.broker);
  one = harness.connect();
});

interface Heard extends ListenerSink {
  readonly lines: string[];
  readonly losses: number[];
  wants: boolean;
}

function sink(): Heard {
  const heard: Heard = {
    lines: [],
    losses: [],
    wants: true,
    take(line) {
      heard.lines.push(line);
      return heard.wants;
    },
    lost: (messages) => heard.losses.push(messages),
  };
  return heard;
}

describe("publish", () => {
  it("reaches those who subscribed, and later ones when it is retained", async () => {
    const got: unknown[] = [];
    await one.client.subscribe("news", (value) => got.push(value));
    await operator.publish("news", { a: 1 }, false);
    await operator.publish("news", "kept", true);
    await settle([one.client]);
    await one.client.subscribe("news", (value, { retained }) => got.push(["late", value, retained]));
    expect(got).toEqual([{ a: 1 }, "kept", ["late", "kept", true]]);
    await until(() => harness.broker.stats.peers === 1);
  });

  it("says what cannot be published", async () => {
    await expect(operator.publish("a.*", 1, false)).rejects.toMatchObject({ code: "ERR_CHOIR_TOPIC" });
    const limited = new Operator(new Harness({ maxRetained: 0 }).broker);
    await expect(limited.publish("a", 1, true)).rejects.toMatchObject({ code: "ERR_CHOIR_RETAINED_LIMIT" });
  });
});

describe("listen", () => {
  it("gives each message as a line of JSON, retained ones first, until it is closed", async () => {
    await one.client.publish("news.kept", "text with \n and \u0007", { retain: true });
    const heard = sink();
    const listener = operator.listen("news.>", heard);
    await turns();
    await one.client.publish("news.now", { deep: [1, null] });
    await one.client.publish("news.bytes", new Uint8Array([1, 2, 3]));
    await one.client.publish("other", 1);
    await until(() => heard.lines.length === 3);
    expect(heard.lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { topic: "news.kept", retained: true, value: "text with \n and \u0007" },
      { topic: "news.now", retained: false, value: { deep: [1, null] } },
      { topic: "news.bytes", retained: false, base64: "AQID" },
    ]);
    expect(heard.lines.join("")).not.toContain("\n");
    listener.close();
    expect(harness.broker.stats).toMatchObject({ peers: 1, subscriptions: 0 });
  });

  it("puts what an instance of another make wrote on several lines on one", async () => {
    const heard = sink();
    operator.listen(">", heard);
    await turns();
    harness.connectPipe().theirs.write(message("a", '{\n"b":\r\n1}'));
    await until(() => heard.lines.length === 1);
    expect(JSON.parse(heard.lines[0]!)).toEqual({ topic: "a", retained: false, value: { b: 1 } });
    expect(heard.lines[0]).not.toMatch(/[\n\r]/);
  });

  it("one that takes nothing holds up nobody: it loses the oldest, and is told how many when it goes on", async () => {
    const heard = sink();
    heard.wants = false;
    const listener = operator.listen(">", heard);
    await turns();
    for (let n = 0; n < 100; n++) {
      const published = one.client.publish("flood", { n, fill: "x".repeat(10_000) });
      // Nobody is held for as much as a millisecond of this clock.
      harness.clock.advance(0);
      await published;
    }
    await settle([one.client]);
    await turns();
    expect(heard.lines.length).toBeLessThan(50);
    heard.wants = true;
    listener.resume();
    const numberOf = (line = ""): number => (JSON.parse(line) as { value: { n: number } }).value.n;
    await until(() => numberOf(heard.lines.at(-1)) === 99);
    expect(heard.losses).toHaveLength(1);
    const numbers = heard.lines.map((line) => numberOf(line));
    expect(numbers.length + heard.losses[0]!).toBe(100);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  });

  it("refuses a pattern that is none", () => {
    expect(() => operator.listen("a..b", sink())).toThrow(expect.objectContaining({ code: "ERR_CHOIR_TOPIC" }));
  });
});
