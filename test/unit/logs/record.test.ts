import { describe, expect, it } from "vitest";
import { levelName, levelNumber } from "../../../src/logs/levels.ts";
import type { Line } from "../../../src/logs/lines.ts";
import { jsonRecord, type OutputStream, parseFields, textRecord } from "../../../src/logs/record.ts";

const line = (text: string, more: Partial<Line> = {}): Line => ({ text, cutBytes: 0, partial: false, ...more });

function arrival(stream: OutputStream = "stdout") {
  return { origin: { name: "example", instance: 1, generation: 2, pid: 3, stream }, time: 1000 };
}

function json(text: string, stream?: OutputStream) {
  const fields = parseFields(line(text));
  if (fields === undefined) throw new Error(`no JSON object: ${text}`);
  return jsonRecord(line(text), fields, arrival(stream));
}

describe("parseFields", () => {
  it.each(["{}", ' {"a":1} ', '{"level":30,"msg":"x"}'])("takes the object %s", (text) => {
    expect(parseFields(line(text))).toEqual(JSON.parse(text));
  });

  it.each(["", "null", "1", '"x"', "[]", '[{"a":1}]', '{"a":1', '{"a":1}{}', '{"a":1} x', "{a:1}", "x {}"])(
    "takes %j as text",
    (text) => {
      expect(parseFields(line(text))).toBeUndefined();
    },
  );

  it("takes what is left of a line that was cut as text", () => {
    expect(parseFields(line('{"level":60}', { cutBytes: 9 }))).toBeUndefined();
  });
});

describe("records", () => {
  it("give text the level of its stream and say where it came from", () => {
    expect(textRecord(line("x"), arrival("stderr"))).toEqual({
      kind: "text",
      name: "example",
      instance: 1,
      generation: 2,
      pid: 3,
      stream: "stderr",
      level: 50,
      time: 1000,
      text: "x",
      cutBytes: 0,
      partial: false,
    });
    expect(textRecord(line("x"), arrival("stdout")).level).toBe(30);
  });

  it.each([
    ['{"level":40,"time":5}', 40, 5],
    ['{"level":"WARN","time":"1970-01-01T00:00:01.500Z"}', 40, 1500],
    ["{}", 30, 1000],
    ['{"level":"loud","time":"soon"}', 30, 1000],
    ['{"level":{},"time":1e300}', 30, 1000],
  ])("take level and time of %s", (text, level, time) => {
    expect(json(text)).toMatchObject({ level, time });
  });

  it("do not believe a line that it is another instance's", () => {
    expect(
      json('{"name":"other","instance":9,"generation":9,"pid":9,"stream":"stdout","kind":"event"}', "stderr"),
    ).toMatchObject({
      kind: "json",
      name: "example",
      instance: 1,
      generation: 2,
      pid: 3,
      stream: "stderr",
      level: 50,
    });
  });
});

describe("levels", () => {
  it("are understood by number and by name", () => {
    expect(["fatal", "Error", "warning", "info", "DEBUG", "trace", 35, "loud", null].map(levelNumber)).toEqual([
      60,
      50,
      40,
      30,
      20,
      10,
      35,
      undefined,
      undefined,
    ]);
  });

  it("are named, those between two by the lower", () => {
    expect([0, 10, 20, 29, 30, 35, 40, 50, 60, 100].map(levelName)).toEqual([
      "trace",
      "trace",
      "debug",
      "debug",
      "info",
      "info",
      "warn",
      "error",
      "fatal",
      "fatal",
    ]);
  });
});
