import * as fc from "fast-check";
import { expect, test } from "vitest";
import { OutgoingFrames } from "../../../src/http/websocket-frames.ts";

const HEAD = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

/** A frame as a server sends it: unmasked. */
function frame(opcode: number, length: number): Buffer {
  const header =
    length < 126
      ? [0x80 | opcode, length]
      : length < 65_536
        ? [0x80 | opcode, 126, length >> 8, length & 0xff]
        : [0x80 | opcode, 127, 0, 0, 0, 0, length >>> 24, (length >> 16) & 0xff, (length >> 8) & 0xff, length & 0xff];
  return Buffer.concat([Buffer.from(header), Buffer.alloc(length, 0x88)]);
}

function opened(): OutgoingFrames {
  const frames = new OutgoingFrames();
  frames.push(Buffer.from(HEAD));
  return frames;
}

test("knows after every byte whether a frame is half-sent, wherever writes are cut", () => {
  const lengths = fc.oneof(fc.integer({ min: 0, max: 140 }), fc.constantFrom(125, 126, 65_535, 65_536, 70_000));
  fc.assert(
    fc.property(fc.array(lengths, { minLength: 1, maxLength: 4 }), fc.infiniteStream(fc.nat(9000)), (sizes, cuts) => {
      const parts = sizes.map((size) => frame(1, size));
      const ends = new Set<number>();
      let end = HEAD.length;
      ends.add(end);
      for (const part of parts) ends.add((end += part.length));
      const bytes = Buffer.concat([Buffer.from(HEAD), ...parts]);
      const frames = new OutgoingFrames();
      for (let at = 0; at < bytes.length;) {
        const next = Math.min(bytes.length, at + 1 + (cuts.next().value ?? 0));
        frames.push(bytes.subarray(at, next));
        at = next;
        expect(frames.betweenFrames).toBe(ends.has(at));
      }
    }),
    { seed: 7, numRuns: 200 },
  );
});

test("text counts in the bytes of its encoding", () => {
  const frames = opened();
  frames.push(Uint8Array.of(0x81, 4));
  frames.pushText("éé", "latin1");
  expect(frames.betweenFrames).toBe(false);
  frames.pushText("é", "utf8");
  expect(frames.betweenFrames).toBe(true);
  frames.push(Uint8Array.of(0x81, 1));
  // The end of one frame and the whole of a close frame.
  frames.pushText("x\x88\x00", "latin1");
  expect([frames.betweenFrames, frames.closing]).toEqual([true, true]);
});

test("a close frame is known by its opcode, not by a payload that looks like one", () => {
  const frames = opened();
  frames.push(frame(2, 300));
  expect(frames.closing).toBe(false);
  frames.push(frame(8, 2));
  expect(frames.closing).toBe(true);
});

test.each(["HTTP/1.1 401 Unauthorized\r\n\r\n", "x".repeat(70_000)])("what is no handshake is left alone", (text) => {
  const frames = new OutgoingFrames();
  frames.pushText(text, "latin1");
  expect([frames.refused, frames.betweenFrames]).toEqual([true, false]);
  frames.push(frame(8, 0));
  expect(frames.closing).toBe(false);
});
