// The short way of a line must be the long way's equal: whatever bytes come, both make the same JSON.
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LogCounts } from "../../../../src/logs/counts.ts";
import { createEncoder, type Encoder } from "../../../../src/logs/encode/encoder.ts";
import { countLines, type Segment } from "../../../../src/logs/encode/segment.ts";
import { formatJson } from "../../../../src/logs/format/json.ts";
import { JsonLineScanner } from "../../../../src/logs/json-line.ts";
import { LineCutter } from "../../../../src/logs/lines.ts";

const ORIGIN = { name: "example", instance: 3, generation: 1, pid: 7, stream: "stdout" } as const;

function encode(encoder: Encoder, chunks: readonly Buffer[]): Segment[] {
  const cutter = new LineCutter(encoder);
  const segments: Segment[] = [];
  for (const chunk of chunks) {
    encoder.time = 5;
    cutter.push(chunk);
    encoder.settle();
    segments.push(...encoder.take());
  }
  cutter.end();
  encoder.release();
  return [...segments, ...encoder.take()];
}

function textOf(segments: readonly Segment[]): string {
  return segments.map(({ bytes }) => bytes.toString()).join("");
}

const both = (chunks: readonly Buffer[], level = 30): [string, string] => [
  textOf(encode(createEncoder("json", { origin: ORIGIN, threshold: { level }, counts: new LogCounts() }), chunks)),
  textOf(encode(createEncoder(formatJson, { origin: ORIGIN, threshold: { level }, counts: new LogCounts() }), chunks)),
];

function accepts(line: string | Buffer): boolean {
  return new JsonLineScanner().scan(Buffer.concat([Buffer.from(line), Buffer.from("\n")]), 0) !== undefined;
}

const HEAD = '{"level":30,"time":1';

describe("JsonLineScanner", () => {
  it("takes what pino writes", () => {
    const line = Buffer.from(
      `{"level":50,"time":1732310000123,"err":{"stack":"a\\nb\\u00e9 \\"","list":[1,-2.5e+3,{}]},"msg":"grüße 🎵"}\r\nx`,
    );
    expect(new JsonLineScanner().scan(line, 0)).toEqual({ level: 50, brace: line.indexOf("\r") - 1 });
  });

  it.each([
    `${HEAD},"a":[],"b":[null,true,false,0,-0,1.5,1e9,1E-9]}`,
    `${HEAD},"a":{"b":{"c":{}}}}`,
    `${HEAD},"":""}`,
    `${HEAD}}`,
  ])("takes %s", (line) => {
    expect(accepts(line)).toBe(true);
    expect(JSON.parse(line)).toBeTypeOf("object");
  });

  it.each([
    "",
    "{}",
    '{"level":30}',
    '{"level":"info","time":1}',
    '{"level":030,"time":1}',
    '{"level":3000,"time":1}',
    '{"time":1,"level":30}',
    HEAD,
    `${HEAD},}`,
    `${HEAD},"a"}`,
    `${HEAD},"a":}`,
    `${HEAD},"a":01}`,
    `${HEAD},"a":1.}`,
    `${HEAD},"a":.5}`,
    `${HEAD},"a":1e}`,
    `${HEAD},"a":-}`,
    `${HEAD},"a":nul}`,
    `${HEAD},"a":truex}`,
    `${HEAD},"a":[1,]}`,
    `${HEAD},"a":[1}`,
    `${HEAD},"a":"\\x"}`,
    `${HEAD},"a":"\\u12g4"}`,
    `${HEAD},"a":"\\`,
    `${HEAD},"a":"\\u00`,
    `${HEAD},"a":"\t"}`,
    `${HEAD},"a":"\u007f"}`,
    `${HEAD},"a":"\u0085"}`,
    `${HEAD},"a":"\u2028"}`,
    `${HEAD},"a":"\u202e"}`,
    `${HEAD},"a":"\u2066"}`,
    `${HEAD},"a":"\u061c"}`,
    `${HEAD}} `,
    `${HEAD}}{`,
    `${HEAD},"a":${"[".repeat(100)}${"]".repeat(100)}}`,
  ])("leaves %j to the long way", (line) => {
    expect(accepts(line)).toBe(false);
  });

  it("never takes what is no JSON, and never what would be escaped", () => {
    const piece = fc.constantFrom(
      ...'{}[]:,"\\u0019aeEtrfn-+. \t\u0085\u2028ü'.split(""),
      "null",
      "true",
      ',"a":',
      '":"',
      "e1",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const line = `${HEAD}${pieces.join("")}}`;
        if (!accepts(line)) return;
        expect(JSON.parse(line)).toMatchObject({ level: 30 });
        expect(line).not.toMatch(/[\u0085\u2028\t]/);
      }),
      { numRuns: 20_000 },
    );
  });
});

const value = fc.jsonValue({ maxDepth: 3, stringUnit: "binary" });
const pinoLine = fc
  .tuple(fc.constantFrom(10, 30, 50), fc.dictionary(fc.string({ unit: "binary" }), value))
  .map(([level, fields]) => Buffer.from(JSON.stringify({ level, time: 1, ...fields })));
const anyLine = fc.oneof(
  pinoLine,
  fc.string({ unit: "grapheme" }).map((text) => Buffer.from(text.replaceAll("\n", ""))),
  fc
    .constantFrom("Error: bad", "    at f (/a.js:1:1)", '{"msg":"winston","level":"warn"}', "")
    .map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 10))),
);

describe("JsonEncoder", () => {
  it("makes of any bytes, in any chunks, what the long way makes of them", () => {
    fc.assert(
      fc.property(fc.array(anyLine, { maxLength: 12 }), fc.array(fc.nat(400), { maxLength: 4 }), (lines, cuts) => {
        const all = Buffer.concat(lines.flatMap((line) => [line, Buffer.from("\n")]));
        const borders = [0, ...cuts.map((at) => Math.min(at, all.length)).sort((a, b) => a - b), all.length];
        const chunks = borders.slice(1).map((end, index) => all.subarray(borders[index], end));
        const [fast, slow] = both(chunks);
        expect(fast).toBe(slow);
      }),
      { numRuns: 300 },
    );
  });

  it("puts our fields behind a line of pino's without parsing it, CRLF or LF", () => {
    const [fast, slow] = both([Buffer.from(`${HEAD},"n":12345678901234567890}\r\n${HEAD}}\n`)]);
    const ours = '"stream":"stdout","name":"example","instance":3,"generation":1}\n';
    expect(fast).toBe(`${HEAD},"n":12345678901234567890,${ours}${HEAD},${ours}`);
    expect(slow).toBe(fast);
  });

  it("keeps text before a line of pino's before it", () => {
    const [fast] = both([Buffer.from(`Error: a\n    at f\n${HEAD}}\nb\n`)]);
    expect(fast.split("\n").map((line) => /"msg":"([^"]*)"/.exec(line)?.[1])).toEqual([
      String.raw`Error: a\n    at f`,
      undefined,
      "b",
      undefined,
    ]);
  });

  it("leaves out what is below the level", () => {
    const [fast, slow] = both([Buffer.from(`{"level":20,"time":1}\n{"level":40,"time":1}\nplain\n`)], 40);
    expect(countLines(Buffer.from(fast))).toBe(1);
    expect(fast).toBe(slow);
  });

  it("tells errors from others, in order", () => {
    const segments = encode(
      createEncoder("json", { origin: ORIGIN, threshold: { level: 30 }, counts: new LogCounts() }),
      [Buffer.from(`${HEAD}}\n{"level":50,"time":1}\n{"level":60,"time":1}\nplain\n{"level":"error"}\n`)],
    );
    expect(segments.map(({ isError, bytes }) => [isError, countLines(bytes)])).toEqual([
      [false, 1],
      [true, 2],
      [false, 1],
      [true, 1],
    ]);
    expect(segments.every(({ instance }) => instance === 3)).toBe(true);
  });
});

describe("RawEncoder", () => {
  it("passes bytes on, whatever they are", () => {
    const chunk = Buffer.from([0, 0xff, 0x1b, 0x0d, 0x0a, 0x61, 0x0a]);
    const segments = encode(
      createEncoder("raw", { origin: ORIGIN, threshold: { level: 60 }, counts: new LogCounts() }),
      [chunk],
    );
    expect(segments).toMatchObject([{ bytes: chunk, isError: false, instance: 3 }]);
    expect(segments[0]?.bytes.buffer).toBe(chunk.buffer);
  });

  it("marks what is not finished and what is cut, and ends it with a line break", () => {
    const encoder = createEncoder("raw", {
      origin: { ...ORIGIN, stream: "stderr" },
      threshold: { level: 60 },
      counts: new LogCounts(),
    });
    const cutter = new LineCutter(encoder, 4);
    cutter.push(Buffer.from("abcdef\nxy"));
    cutter.end();
    expect(encoder.take().map(({ bytes, isError }) => [bytes.toString(), isError])).toEqual([
      ["abcd [2 bytes cut]\nxy [line not finished]\n", true],
    ]);
  });
});
