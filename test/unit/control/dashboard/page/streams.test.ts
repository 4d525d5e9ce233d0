// What the page reads: pieces of streams, lines of the log, and samples for its charts.
import { array, assert, integer, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { levelName, passes, readLine } from "../../../../../src/control/dashboard/page/log-lines.ts";
import { EventParser } from "../../../../../src/control/dashboard/page/parse.ts";
import { highest, Timeline } from "../../../../../src/control/dashboard/page/timeline.ts";
import type { Sample } from "../../../../../src/control/dashboard/sample.ts";

describe("EventParser", () => {
  it("reads the same however the network cuts it", () => {
    const text = 'event: snapshot\ndata: {"a":1}\n\n: \n\nevent: choir\ndata: one\ndata: two: three\n\ndata:x\n\n';
    const expected = [
      { name: "snapshot", data: '{"a":1}' },
      { name: "choir", data: "one\ntwo: three" },
      { name: "message", data: "x" },
    ];
    assert(
      property(array(integer({ min: 0, max: text.length }), { maxLength: 12 }), (cuts) => {
        const parser = new EventParser();
        const places = [0, ...cuts.toSorted((a, b) => a - b), text.length];
        const found = places.slice(1).flatMap((to, index) => parser.take(text.slice(places[index], to)));
        expect(found).toEqual(expected);
      }),
    );
  });
});

describe("lines of the log", () => {
  const ofApp = {
    level: 50,
    time: 5,
    pid: 1,
    hostname: "h",
    stream: "stdout",
    name: "shop",
    instance: 2,
    generation: 0,
  };

  it("have what the app said, its own fields and its stack", () => {
    const line = readLine(
      JSON.stringify({ ...ofApp, msg: "Not paid", order: 17, err: { message: "m", stack: "Error: m\n at x" } }),
    );
    expect(line).toMatchObject({
      level: 50,
      time: 5,
      instance: 2,
      message: "Not paid",
      fields: "order=17",
      stack: "Error: m\n at x",
    });
  });

  it("of the supervisor have their sentence only, and an app cannot pass itself off as it", () => {
    expect(readLine('{"level":30,"time":1,"event":"scaled","instances":3,"msg":"Scaling"}')).toMatchObject({
      fields: "",
    });
    const forged = readLine(JSON.stringify({ ...ofApp, event: "scaled", msg: "Scaling" }));
    expect(forged).toMatchObject({ instance: 2, fields: 'event="scaled"' });
  });

  it("say how many are missing, and are left out when they are none", () => {
    expect(readLine('{"lost":12}')!.message).toContain("12 lines are missing");
    expect([readLine("null"), readLine("{"), readLine("")]).toEqual([undefined, undefined, undefined]);
  });

  it("pass a filter by level, slot and any of their words", () => {
    const line = readLine(JSON.stringify({ ...ofApp, msg: "Not paid", path: "/Orders" }))!;
    const filter = { text: "", level: 0, instance: undefined };
    expect(passes(line, filter)).toBe(true);
    expect(passes(line, { ...filter, text: "/orders" })).toBe(true);
    expect(passes(line, { ...filter, text: "/baskets" })).toBe(false);
    expect(passes(line, { ...filter, level: 60 })).toBe(false);
    expect(passes(line, { ...filter, instance: 1 })).toBe(false);
    expect([10, 35, 60].map(levelName)).toEqual(["trace", "info", "fatal"]);
  });
});

describe("Timeline", () => {
  const sample = (at: number, slots: Sample["slots"] = [[0, 5, 10]]): Sample => ({
    at,
    requests: 1,
    errors: 0,
    p50: null,
    p99: null,
    slots,
  });

  it("keeps a quarter of an hour, and breaks the line where nothing is known", () => {
    const timeline = new Timeline();
    timeline.reset([sample(1000), sample(3000), sample(20_000)]);
    expect(timeline.times).toEqual([1, 3, 3.001, 20]);
    expect(timeline.line("requests", ({ requests }) => requests).values).toEqual([1, 1, null, 1]);
    timeline.add(sample(20_100));
    expect(timeline.times).toHaveLength(4);
    timeline.add(sample(2_000_000));
    expect(timeline.times.at(-1)).toBe(2000);
    expect(timeline.times.length).toBeLessThan(3);
  });

  it("has a line for each slot, and three where there are too many", () => {
    const timeline = new Timeline();
    timeline.reset([
      sample(1000, [[0, 5, 10]]),
      sample(3000, [
        [0, 6, 10],
        [1, null, 30],
      ]),
    ]);
    expect(timeline.perSlot(1)).toEqual([
      { label: "slot 0", values: [5, 6] },
      { label: "slot 1", values: [null, null] },
    ]);
    expect(highest(timeline.perSlot(2))).toBe(30);
    timeline.reset([
      sample(
        1000,
        Array.from({ length: 9 }, (_, id) => [id, id, 1] as const),
      ),
    ]);
    expect(timeline.perSlot(1).map(({ label, values }) => [label, ...values])).toEqual([
      ["highest", 8],
      ["middle", 4],
      ["lowest", 0],
    ]);
    expect(highest([])).toBeUndefined();
  });
});
