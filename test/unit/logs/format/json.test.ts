import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatJson } from "../../../../src/logs/format/json.ts";
import { ofEvent, ofLine } from "../make-records.ts";

const OURS = '"name":"example","instance":0,"generation":1}';
/** What a line that is JSON itself ends with. */
const OURS_IN_JSON = `"stream":"stdout",${OURS}`;

describe("formatJson", () => {
  it("makes a pino line of text, our fields last", () => {
    expect(formatJson(ofLine('say "hi"\nthere'))).toBe(
      `{"level":30,"time":1000,"pid":7,"stream":"stdout","msg":"say \\"hi\\"\\nthere",${OURS}\n`,
    );
  });

  it.each([
    ["{}", `{"level":30,"time":1000,${OURS_IN_JSON}`],
    [" { } ", ` { "level":30,"time":1000,${OURS_IN_JSON}`],
    ['{"level":50,"time":5,"msg":"x"}  ', `{"level":50,"time":5,"msg":"x",${OURS_IN_JSON}`],
    [
      '{"level":"warn","n":12345678901234567890}',
      `{"level":"warn","n":12345678901234567890,"time":1000,${OURS_IN_JSON}`,
    ],
    ['{"time":null}', `{"time":null,"level":30,${OURS_IN_JSON}`],
    ['{"msg":"}"}', `{"msg":"}","level":30,"time":1000,${OURS_IN_JSON}`],
  ])("keeps the text of %s and puts our fields last", (text, expected) => {
    expect(formatJson(ofLine(text))).toBe(`${expected}\n`);
  });

  it.each([
    '{"name":"other","instance":9,"generation":9}',
    String.raw`{"\u006eame":"other","\u0069nstance":9}`,
    '{"instance":9,"instance":8,"__proto__":{"instance":7}}',
    '{"msg":"x\\"}","instance":9}',
    '{"a":{"instance":9}}',
    '{"event":"stopped","code":0,"stream":null}',
  ])("cannot be deceived by %s", (text) => {
    const parsed: unknown = JSON.parse(formatJson(ofLine(text)));
    expect(parsed).toMatchObject({ stream: "stdout", name: "example", instance: 0, generation: 1 });
    expect(JSON.parse(formatJson(ofEvent({ event: "stopped", code: 0 })))).not.toHaveProperty("stream");
  });

  it("stays one line with the same value for every object and every text", () => {
    const texts = fc.oneof(
      fc.string({ unit: "binary" }).map((text) => text.replaceAll("\n", "")),
      fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue()).map((value) => JSON.stringify(value)),
      fc
        .dictionary(fc.constantFrom("name", "level", "time", "instance"), fc.jsonValue())
        .map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const output = formatJson(ofLine(text));
        expect(output.slice(0, -1)).not.toMatch(/[\n\r\u0085\u2028\u2029]/);
        const record = ofLine(text);
        const parsed = JSON.parse(output) as Record<string, unknown>;
        expect(parsed).toMatchObject({ name: "example", instance: 0, generation: 1 });
        if (record.kind === "text") expect(parsed["msg"]).toBe(record.text);
        if (record.kind !== "json") return;
        for (const [key, value] of Object.entries(record.fields)) {
          if (!["stream", "name", "instance", "generation"].includes(key)) expect(parsed[key]).toEqual(value);
        }
      }),
      { numRuns: 50 },
    );
  });

  it("does not let a raw CR begin another line", () => {
    expect(formatJson(ofLine('{"a":\r{"level":60}\r}'))).toBe(
      `{"a": {"level":60} ,"level":30,"time":1000,${OURS_IN_JSON}\n`,
    );
  });

  it("says that a line was cut or not finished", () => {
    expect(formatJson(ofLine("x", { cutBytes: 3, partial: true }))).toContain(
      `"msg":"x","cutBytes":3,"partial":true,${OURS}`,
    );
  });

  it("gives an event with every field, its sentence and the name", () => {
    const event = {
      event: "instance-ready",
      instance: 0,
      generation: 0,
      pid: 123,
      url: "http://127.0.0.1:3000",
      urls: ["http://127.0.0.1:3000"],
      startMs: 85,
    } as const;
    expect(formatJson(ofEvent(event))).toBe(
      `{"level":30,"time":1000,"event":"instance-ready","instance":0,"generation":0,"pid":123,"url":"http://127.0.0.1:3000",` +
        `"urls":["http://127.0.0.1:3000"],"startMs":85,` +
        `"msg":"Instance 0 listening at http://127.0.0.1:3000 (pid 123, ready in 85 ms)","name":"example"}\n`,
    );
  });
});
