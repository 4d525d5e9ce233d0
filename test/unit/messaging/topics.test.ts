import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TopicTable } from "../../../src/messaging/topic-table.ts";
import { checkPattern, checkTopic, isPattern, isTopic, matches } from "../../../src/messaging/topics.ts";

const token = fc.constantFrom("a", "b", "c-1", "x_=/Z");
const topic = fc.array(token, { minLength: 1, maxLength: 4 }).map((tokens) => tokens.join("."));
const pattern = fc
  .tuple(fc.array(fc.oneof(token, fc.constant("*")), { maxLength: 4 }), fc.boolean())
  .map(([tokens, rest]) => (rest || tokens.length === 0 ? [...tokens, ">"] : tokens).join("."));

describe("checkTopic and checkPattern", () => {
  it.each(["a", "greeting_changed", "orders.42.paid", "A-Z/=_.0", "x".repeat(255)])("allow %s", (text) => {
    expect(() => checkTopic(text)).not.toThrow();
    expect(() => checkPattern(text)).not.toThrow();
  });

  it.each(["*", ">", "a.*", "*.b", "a.*.>", "a.>"])("allow %s in subscriptions only", (text) => {
    expect(() => checkPattern(text)).not.toThrow();
    expect(() => checkTopic(text)).toThrow(/has the wildcard ".*which is for subscriptions only/);
  });

  it.each([
    ["", 'Topic "" is empty'],
    ["a..b", 'Topic "a..b" has an empty token at position 2'],
    [".a", 'Topic ".a" has an empty token at position 0'],
    ["a.", 'Topic "a." has an empty token at position 2'],
    ["a b", 'Topic "a b" has " " at position 1'],
    ["a.ü", 'Topic "a.ü" has "ü" at position 2'],
    ["a.😀b", 'Topic "a.😀b" has "😀" at position 2'],
    ["a\n", 'Topic "a\\n" has "\\n" at position 1'],
    ["x".repeat(256), "has 256 characters, at most 255 are allowed"],
  ])("refuse the topic %j", (text, message) => {
    expect(() => checkTopic(text)).toThrow(
      expect.objectContaining({ code: "ERR_CHOIR_TOPIC", message: expect.stringContaining(message) }),
    );
    expect(() => checkPattern(text)).toThrow(expect.objectContaining({ code: "ERR_CHOIR_TOPIC" }));
  });

  it.each([
    [">.a", 'has ">" at position 0, which is allowed as the last token only'],
    ["a.b*", 'has "*" at position 3, which must be a token of its own'],
    ["a.>>", 'has ">" at position 2, which must be a token of its own'],
  ])("refuse the pattern %s", (text, message) => {
    expect(() => checkPattern(text)).toThrow(`Pattern "${text}" ${message}`);
  });

  it("say what was got instead of a string", () => {
    // @ts-expect-error: JavaScript callers
    expect(() => checkTopic(42)).toThrow("Topic must be a string, got 42 (number)");
    // @ts-expect-error: JavaScript callers
    expect(() => checkPattern(undefined)).toThrow("Pattern must be a string, got undefined");
  });

  it("never refuse without a precise reason", () => {
    const text = fc.oneof(fc.string({ unit: fc.constantFrom("a", ".", "*", ">", " ", "é") }), pattern, topic);
    fc.assert(
      fc.property(text, (each) => {
        for (const [valid, check] of [
          [isTopic, checkTopic],
          [isPattern, checkPattern],
        ] as const) {
          if (valid(each)) expect(() => check(each)).not.toThrow();
          else
            expect(() => check(each)).toThrow(
              expect.objectContaining({ message: expect.not.stringContaining("malformed") }),
            );
        }
      }),
    );
  });
});

describe("TopicTable", () => {
  it("finds what a comparison of tokens finds, each target once, whatever was added and removed", () => {
    const step = fc.record({ pattern, target: fc.nat(3), remove: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), fc.array(topic, { maxLength: 5 }), (steps, topics) => {
        const table = new TopicTable<number>();
        const model = new Set<string>();
        for (const each of steps) {
          const key = `${each.target} ${each.pattern}`;
          if (each.remove) {
            table.remove(each.pattern, each.target);
            model.delete(key);
          } else {
            table.add(each.pattern, each.target);
            model.add(key);
          }
          for (const name of topics) {
            const expected = new Set(
              [...model].filter((entry) => matches(entry.slice(2), name)).map((entry) => Number(entry[0])),
            );
            const bytes = Buffer.from(`..${name}.`);
            const found = table.matchBytes(bytes, 2, 2 + name.length);
            expect(found.topic).toBe(name);
            expect(found.targets).toHaveLength(expected.size);
            expect(new Set(found.targets)).toEqual(expected);
            expect(table.match(name)).toBe(found);
          }
        }
      }),
    );
  });

  it.each([
    ["orders.*", "orders.1", true],
    ["orders.*", "orders.1.paid", false],
    ["orders.*", "orders", false],
    ["orders.>", "orders.1.paid", true],
    ["orders.>", "orders", false],
    [">", "orders", true],
    ["*.paid", "1.paid", true],
  ])("%s and %s: %s", (wanted, name, expected) => {
    const table = new TopicTable<string>();
    table.add(wanted, "target");
    expect(table.match(name).targets).toEqual(expected ? ["target"] : []);
    expect(matches(wanted, name)).toBe(expected);
  });

  it("refuses bytes that are no topic", () => {
    const table = new TopicTable<string>();
    for (const text of ["", "a.*", "a b", "a..b", "\u00ff"]) {
      const bytes = Buffer.from(text, "latin1");
      expect(() => table.matchBytes(bytes, 0, bytes.length)).toThrow(
        expect.objectContaining({ code: "ERR_CHOIR_FRAME" }),
      );
    }
  });

  it("keeps finding when more topics were seen than it remembers", () => {
    const table = new TopicTable<string>();
    table.add("t.*", "target");
    for (let at = 0; at < 25_000; at++) expect(table.match(`t.${at}`).targets).toEqual(["target"]);
    table.remove("t.*", "target");
    expect(table.match("t.1").targets).toEqual([]);
  });
});
