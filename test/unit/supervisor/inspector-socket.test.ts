// Frames of a server, cut anywhere: what the inspector says arrives whole, and what is no WebSocket ends the connection.
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrameReader } from "../../../src/supervisor/inspector-socket.ts";

function frame(text: string, { opcode = 1, final = true } = {}): Buffer {
  const payload = Buffer.from(text);
  const first = (final ? 0x80 : 0) | opcode;
  if (payload.length < 126) return Buffer.concat([Buffer.from([first, payload.length]), payload]);
  if (payload.length < 65_536) {
    return Buffer.concat([Buffer.from([first, 126, payload.length >> 8, payload.length & 0xff]), payload]);
  }
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(payload.length));
  return Buffer.concat([Buffer.from([first, 127]), length, payload]);
}

function read(chunks: readonly Buffer[]): string[] {
  const texts: string[] = [];
  const reader = new FrameReader((text) => texts.push(text));
  for (const chunk of chunks) reader.push(chunk);
  return texts;
}

describe("FrameReader", () => {
  it("reads frames of every length, however they are cut", () => {
    const text = fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 200 }),
      fc.constantFrom("a".repeat(125), "b".repeat(126), "c".repeat(65_535), "ä".repeat(40_000)),
    );
    fc.assert(
      fc.property(fc.array(text, { maxLength: 5 }), fc.array(fc.nat(), { maxLength: 8 }), (texts, cuts) => {
        const bytes = Buffer.concat(texts.map((one) => frame(one)));
        const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
        const chunks = at.slice(1).map((end, index) => bytes.subarray(at[index], end));
        expect(read(chunks)).toEqual(texts);
      }),
    );
  });

  it("joins fragments, with a ping between them", () => {
    const chunks = [frame("one ", { final: false }), frame("ping", { opcode: 9 }), frame("two", { opcode: 0 })];
    expect(read(chunks)).toEqual(["one two"]);
  });

  it("refuses masked and endless frames, and hears the end", () => {
    expect(() => read([Buffer.from([0x81, 0x85, 0, 0, 0, 0])])).toThrow("masked");
    const endless = Buffer.alloc(10);
    endless.writeUInt8(0x81, 0);
    endless.writeUInt8(127, 1);
    endless.writeBigUInt64BE(1n << 40n, 2);
    expect(() => read([endless])).toThrow(/A frame of \d+ bytes/);
    expect(() => read([frame("", { opcode: 8 })])).toThrow("closed");
  });
});
