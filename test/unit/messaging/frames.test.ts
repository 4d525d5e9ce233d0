import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  FRAME,
  FrameReader,
  MAX_VALUE_BYTES,
  controlBytes,
  encodeRefusal,
  writeControl,
  writeUint32,
  LOCK_FRAME,
  REQUEST_FRAME,
} from "../../../src/messaging/frames.ts";

const TYPES = [FRAME, REQUEST_FRAME, LOCK_FRAME].flatMap((types) => Object.values(types));

function frame(type: number, fields: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  writeUint32(head, 1 + fields.length, 0);
  head[4] = type;
  return Buffer.concat([head, fields]);
}

/** All frames that come of the chunks, as copies. */
function read(chunks: readonly Buffer[], reader = new FrameReader()): Buffer[] {
  const found: Buffer[] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    while (reader.next()) {
      expect(reader.body).toBe(reader.start + 5);
      expect(reader.type).toBe(reader.buffer[reader.start + 4]);
      found.push(Buffer.from(reader.buffer.subarray(reader.start, reader.end)));
    }
  }
  return found;
}

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return [...chunks, bytes.subarray(at)];
}

describe("FrameReader", () => {
  it("finds the same frames wherever the chunks are cut", () => {
    const fields = fc.uint8Array({ maxLength: 9000, size: "max" });
    const frames = fc.array(fc.tuple(fc.constantFrom(...TYPES), fields), { maxLength: 8 });
    const sizes = fc.array(fc.oneof(fc.nat(7), fc.nat(10_000)), { maxLength: 30 });
    fc.assert(
      fc.property(frames, sizes, (specs, cuts) => {
        const sent = specs.map(([type, body]) => frame(type, body));
        const got = read(cut(Buffer.concat(sent), cuts));
        expect(got.map((each) => each.toString("hex"))).toEqual(sent.map((each) => each.toString("hex")));
      }),
      { numRuns: 100 },
    );
  });

  it("gives a view of the chunk when the frame lies in it", () => {
    const chunk = Buffer.concat([frame(FRAME.message, Buffer.from("abc")), frame(FRAME.flush, Buffer.alloc(4))]);
    const reader = new FrameReader();
    reader.push(chunk);
    expect(reader.next()).toBe(true);
    expect(reader.buffer).toBe(chunk);
    expect(reader.next()).toBe(true);
    expect(reader.buffer).toBe(chunk);
    expect(reader.start).toBe(8);
    expect(reader.next()).toBe(false);
  });

  it("keeps chunks that come while it is being read", () => {
    const reader = new FrameReader();
    reader.push(
      Buffer.concat([frame(FRAME.flush, Buffer.from([1])), frame(FRAME.flush, Buffer.from([2])).subarray(0, 3)]),
    );
    expect(reader.next()).toBe(true);
    reader.push(frame(FRAME.flush, Buffer.from([2])).subarray(3));
    reader.push(frame(FRAME.flush, Buffer.from([3])));
    expect(reader.pending).toBe(true);
    const ids: unknown[] = [];
    while (reader.next()) ids.push(reader.buffer[reader.body]);
    expect(ids).toEqual([2, 3]);
    expect(reader.pending).toBe(false);
  });

  const hostile: [string, Buffer][] = [
    ["a huge length", Buffer.from([0xff, 0xff, 0xff, 0xff, FRAME.message])],
    [
      "a length just over the limit",
      (() => {
        const b = frame(FRAME.message, Buffer.alloc(0));
        writeUint32(b, MAX_VALUE_BYTES + 300, 0);
        return b;
      })(),
    ],
    ["a huge length, before its type came", Buffer.from([0x7f, 0, 0, 0])],
    ["an empty frame", Buffer.from([0, 0, 0, 0, FRAME.message])],
    ["type 0", frame(0, Buffer.alloc(3))],
    ["an unknown type", frame(0x77, Buffer.alloc(3))],
    ["a line of text", Buffer.from("Server listening on port 3000\n")],
  ];
  it.each(hostile)("refuses %s", (_, bytes) => {
    expect(() => read([bytes])).toThrow(expect.objectContaining({ code: "ERR_CHOIR_FRAME" }));
    expect(() =>
      read(
        cut(
          bytes,
          Array.from({ length: bytes.length }, () => 1),
        ),
      ),
    ).toThrow(expect.objectContaining({ code: "ERR_CHOIR_FRAME" }));
  });

  it("either cuts random bytes into frames or refuses them, and ends", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 10 }), (chunks) => {
        try {
          read(chunks.map((chunk) => Buffer.from(chunk)));
        } catch (error) {
          expect(error).toMatchObject({ code: "ERR_CHOIR_FRAME" });
        }
      }),
    );
  });

  it("allocates by what came, not by what was announced", () => {
    const announced = Buffer.alloc(5);
    writeUint32(announced, MAX_VALUE_BYTES, 0);
    announced[4] = FRAME.message;
    const before = process.memoryUsage().arrayBuffers;
    const readers = Array.from({ length: 200 }, () => new FrameReader());
    for (const reader of readers) read([announced], reader);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10 * 1024 * 1024);
    expect(readers).toHaveLength(200);
  });

  it("refuses a request without an id or with an impossible topic", () => {
    const reader = new FrameReader();
    reader.push(
      Buffer.concat([
        frame(FRAME.flush, Buffer.alloc(3)),
        frame(FRAME.clear, Buffer.alloc(4)),
        frame(FRAME.clear, Buffer.alloc(300)),
      ]),
    );
    reader.next();
    expect(() => reader.id()).toThrow("too short for its id");
    reader.next();
    expect(() => reader.topic()).toThrow("a topic of 0 bytes");
    reader.next();
    expect(() => reader.topic()).toThrow("a topic of 296 bytes");
  });
});

describe("frames of id and topic", () => {
  it("are read back", () => {
    const buffer = Buffer.alloc(controlBytes("a.b"));
    expect(writeControl(buffer, 0, { type: FRAME.subscribe, id: 0xfedcba98, topic: "a.b" })).toBe(buffer.length);
    const reader = new FrameReader();
    reader.push(buffer);
    expect(reader.next()).toBe(true);
    expect([reader.type, reader.id(), reader.topic()]).toEqual([FRAME.subscribe, 0xfedcba98, "a.b"]);
  });

  it("carry a refusal's code and text", () => {
    const reader = new FrameReader();
    reader.push(encodeRefusal(7, 2, "zu groß"));
    expect(reader.next()).toBe(true);
    expect(reader.id()).toBe(7);
    expect(reader.buffer[reader.body + 4]).toBe(2);
    expect(reader.buffer.toString("utf8", reader.body + 5, reader.end)).toBe("zu groß");
  });
});
