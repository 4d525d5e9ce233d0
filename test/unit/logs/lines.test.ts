import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { eachLine, type Line, LineCutter } from "../../../src/logs/lines.ts";

function cut(chunks: readonly Buffer[], limit?: number): Line[] {
  const lines: Line[] = [];
  const cutter = new LineCutter(
    {
      lines(bytes, start, end) {
        expect(bytes[end - 1]).toBe(0x0a);
        eachLine(bytes, [start, end], (from, stop) =>
          lines.push({ text: bytes.toString("utf8", from, stop), cutBytes: 0, partial: false }),
        );
      },
      odd: ({ bytes, cutBytes, partial }) => lines.push({ text: bytes.toString("utf8"), cutBytes, partial }),
    },
    limit,
  );
  for (const chunk of chunks) cutter.push(chunk);
  cutter.end();
  return lines;
}

function texts(...chunks: readonly string[]): string[] {
  return cut(chunks.map((chunk) => Buffer.from(chunk))).map((line) => line.text);
}

describe("LineCutter", () => {
  it("hands on all whole lines of a chunk at once, without a copy", () => {
    const seen: [Buffer, number, number][] = [];
    const cutter = new LineCutter({
      lines: (...line) => seen.push(line),
      odd: () => expect.fail("none is odd"),
    });
    const chunk = Buffer.from("a\nbc\nd");
    cutter.push(chunk);
    expect(seen).toEqual([[chunk, 0, 5]]);
    expect(seen[0]?.[0]).toBe(chunk);
  });

  it("cuts at LF and at CRLF, keeps empty lines and a CR inside", () => {
    expect(texts("a\nb\r\n\n\r\nc\rd\n")).toEqual(["a", "b", "", "", "c\rd"]);
  });

  it("joins what was split, the CR from its LF too", () => {
    expect(texts("a", "b\r", "\nc", "", "\n")).toEqual(["ab", "c"]);
  });

  it("keeps a character whole over a chunk's border", () => {
    const bytes = Buffer.from("grüße 🎵\n");
    expect(cut([...bytes].map((byte) => Buffer.from([byte]))).map((line) => line.text)).toEqual(["grüße 🎵"]);
  });

  it("marks the line whose writer is gone", () => {
    expect(cut([Buffer.from("a\nb")])).toEqual([
      { text: "a", cutBytes: 0, partial: false },
      { text: "b", cutBytes: 0, partial: true },
    ]);
  });

  it("cuts a line over the limit, counts what it left out and goes on", () => {
    expect(cut([Buffer.from("abcdef\nabcd\r\nabcde\r\nxy\n")], 4)).toEqual([
      { text: "abcd", cutBytes: 2, partial: false },
      { text: "abcd", cutBytes: 0, partial: false },
      { text: "abcd", cutBytes: 1, partial: false },
      { text: "xy", cutBytes: 0, partial: false },
    ]);
  });

  it("does not halve a character at the limit", () => {
    expect(cut([Buffer.from("abc🎵d\n")], 5)).toEqual([{ text: "abc", cutBytes: 5, partial: false }]);
  });

  it("makes the same lines of any chunking", () => {
    const piece = fc.constantFrom("a", "bc", "\n", "\r\n", "\r", "ü", "🎵", "x".repeat(9), "\u0000");
    const bytes = fc.oneof(
      fc.array(piece, { maxLength: 40 }).map((pieces) => Buffer.from(pieces.join(""))),
      fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array)),
    );
    fc.assert(
      fc.property(
        bytes,
        fc.array(fc.nat({ max: 100 }), { maxLength: 10 }),
        fc.constantFrom(4, 7, 1000),
        (all, at, limit) => {
          const borders = [0, ...at.map((n) => Math.min(n, all.length)).sort((a, b) => a - b), all.length];
          const chunks = borders.slice(1).map((end, index) => all.subarray(borders[index], end));
          expect(cut(chunks, limit)).toEqual(cut([all], limit));
        },
      ),
    );
  });

  it("makes the lines that splitting the text would make", () => {
    const lines = fc.array(fc.string({ unit: "grapheme" }).map((line) => line.replaceAll(/[\r\n]/g, "")));
    fc.assert(
      fc.property(lines, fc.constantFrom("\n", "\r\n"), (lines, end) => {
        expect(texts(lines.map((line) => line + end).join(""))).toEqual(lines);
      }),
    );
  });
});
