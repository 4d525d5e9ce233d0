import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  isNewerRecord,
  MARK,
  openEnvelope,
  sealEnvelope,
  splitEnvelope,
} from "../../../../src/messaging/bridges/envelope.ts";
import { Incoming } from "../../../../src/messaging/bridges/incoming.ts";
import { Names } from "../../../../src/messaging/bridges/names.ts";
import { reconnectDelay } from "../../../../src/messaging/bridges/link.ts";

const ORIGIN = "0123456789abcdef";
const marks = fc.constantFrom(0, MARK.bytes, MARK.retain, MARK.retain | MARK.bytes, MARK.clear);
const head = (mark: number, sequence = 1, version = 0) => ({ marks: mark, origin: ORIGIN, sequence, version });

describe("an envelope", () => {
  it("gives back what was put in, whole or in parts of any size", () => {
    fc.assert(
      fc.property(marks, fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 40, max: 400 }), (mark, payload, max) => {
        const sealed = sealEnvelope(head(mark, 2 ** 40, mark > 1 ? 2 ** 50 : 0), payload);
        const parts = splitEnvelope(sealed, max);
        for (const part of parts) expect(part.length).toBeLessThanOrEqual(max);
        const incoming = new Incoming("another");
        const taken = parts.map((part) => incoming.take(openEnvelope(part)!)).filter((each) => each !== undefined);
        expect(taken).toHaveLength(1);
        expect(taken[0]).toMatchObject(head(mark, 2 ** 40, mark > 1 ? 2 ** 50 : 0));
        expect([...taken[0]!.payload]).toEqual([...payload]);
        // And never again.
        for (const part of parts) expect(incoming.take(openEnvelope(part)!)).toBeUndefined();
      }),
    );
  });

  it("is not found in any other bytes, and opening them throws nothing", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.integer({ min: 0, max: 255 }), (bytes, mark) => {
        const data = Uint8Array.from([0xc7, mark, ...bytes]);
        const opened = openEnvelope(data);
        if (opened !== undefined) expect(opened.part).toBeLessThan(opened.parts);
        expect(openEnvelope(bytes[0] === 0xc7 ? bytes.subarray(1, 1) : bytes)).toBeUndefined();
      }),
    );
  });

  it("knows which of two records is newer as engines do: by version, then by origin", () => {
    const record = (version: number, origin: string) =>
      sealEnvelope({ ...head(MARK.retain, 9, version), origin }, Buffer.from("x"));
    const [low, high] = ["0000000000000001", "ff00000000000000"];
    expect(isNewerRecord(record(2, low), record(1, high))).toBe(true);
    expect(isNewerRecord(record(1, high), record(1, low))).toBe(true);
    expect(isNewerRecord(record(1, low), record(1, low))).toBe(false);
  });
});

describe("incoming messages", () => {
  it("of itself, out of their order, or in parts of which one is missing are left out", () => {
    const incoming = new Incoming(ORIGIN);
    const opened = (sequence: number, origin: string) =>
      openEnvelope(sealEnvelope({ ...head(0, sequence), origin }, Buffer.from("x")))!;
    const other = "aaaaaaaaaaaaaaaa";
    expect(incoming.take(opened(1, ORIGIN))).toBeUndefined();
    expect([3, 3, 2, 4].map((n) => incoming.take(opened(n, other)) !== undefined)).toEqual([true, false, false, true]);
    const parts = splitEnvelope(sealEnvelope({ ...head(0, 5), origin: other }, Buffer.alloc(100)), 50);
    expect(parts.length).toBeGreaterThan(2);
    for (const part of [parts[0]!, ...parts.slice(2)]) expect(incoming.take(openEnvelope(part)!)).toBeUndefined();
    expect(incoming.take(opened(6, other))).toBeDefined();
  });
});

describe("names", () => {
  it("keep apps apart whose names begin alike, and topics from what supervisors say", () => {
    const names = new Names("a");
    expect(names.topic(names.subject("b.c"))).toBe("b.c");
    expect(names.topic(names.retained("b.c"))).toBe("b.c");
    expect(names.topic(new Names("a.b").subject("c"))).toBeUndefined();
    expect([names.peers, "a.", "b.c", "a.b..c", "a.*"].map((subject) => names.topic(subject))).toEqual(
      Array.from({ length: 5 }),
    );
  });
});

it("waits longer after each failure, with jitter, and never more than two seconds", () => {
  expect([0, 1, 2, 3, 4, 5, 50].map((failures) => reconnectDelay(failures, 0.999_999))).toEqual(
    [100, 200, 400, 800, 1600, 2000, 2000].map((ms) => expect.closeTo(ms, 0)),
  );
  expect(reconnectDelay(50, 0)).toBe(1000);
});
