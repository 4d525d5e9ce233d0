// What follows from an uncaught error, by its origin, its zone and --uncaught; and what a drain gives up.
import { describe, expect, it } from "vitest";
import type { Failure } from "../../../src/http/failure.ts";
import { UncaughtErrors } from "../../../src/instance/uncaught.ts";
import type { Zone, Zones } from "../../../src/instance/zone.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";

interface Line {
  readonly level: string;
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

function setUp(options: { uncaught?: "replace" | "exit" | "keep"; ready?: boolean; zone?: Partial<Zone> } = {}) {
  const lines: Line[] = [];
  const exits: number[] = [];
  const said: string[] = [];
  const clock = new FakeClock();
  const write =
    (level: string) =>
    (fields: Record<string, unknown>, message: string): void => {
      lines.push({ level, fields, message });
    };
  const logger = { fatal: write("fatal"), error: write("error"), warn: write("warn"), debug: write("debug") };
  const { zone } = options;
  const uncaught = new UncaughtErrors({
    options: { uncaught: options.uncaught ?? "replace", shutdownTimeout: 30_000 },
    lifecycle: {
      hasBeenReady: options.ready ?? true,
      fail: () => said.push("start-failed"),
      failed: () => said.push("failed"),
    },
    zones: zone === undefined ? undefined : ({ blame: () => zone } as unknown as Zones),
    logger: () => logger as never,
    exit: (code) => exits.push(code),
    clock,
  });
  return { uncaught, lines, exits, said, clock };
}

const ZONE = { id: "a-1", method: "GET", path: "/x", failed: false, fail: (): Failure => "answered" };
const ERROR = new Error("thrown");

describe("UncaughtErrors", () => {
  it("fails the start before the instance was ready", () => {
    const { uncaught, lines, said, exits } = setUp({ ready: false, uncaught: "keep" });
    uncaught.handle(ERROR, "uncaughtException");
    expect({ said, lines, exits }).toEqual({ said: ["start-failed"], lines: [], exits: [] });
  });

  it("replace: asks once, and logs ten more in ten seconds", () => {
    const { uncaught, lines, said, exits, clock } = setUp();
    for (let n = 0; n < 100; n += 1) uncaught.handle(ERROR, "uncaughtException");
    expect(said).toEqual(["failed"]);
    expect(exits).toEqual([]);
    expect(lines.map(({ level }) => level)).toEqual(["fatal", ...Array.from({ length: 10 }, () => "error")]);
    expect(lines[0]).toMatchObject({ fields: { err: ERROR }, message: "Uncaught error: the instance is replaced" });
    clock.advance(10_000);
    expect(lines.at(-1)).toMatchObject({ fields: { lines: 89 } });
    uncaught.handle(ERROR, "uncaughtException");
    expect(lines.at(-1)).toMatchObject({ fields: { err: ERROR } });
    clock.advance(60_000);
    expect(lines).toHaveLength(13);
  });

  it("exit: logs, then ends the process", () => {
    const { uncaught, lines, said, exits } = setUp({ uncaught: "exit" });
    uncaught.handle(ERROR, "unhandledRejection");
    expect({ said, exits, levels: lines.map(({ level }) => level) }).toEqual({
      said: [],
      exits: [1],
      levels: ["fatal"],
    });
  });

  it("keep: logs each one and nothing else", () => {
    const { uncaught, lines, said, exits } = setUp({ uncaught: "keep" });
    for (let n = 0; n < 100; n += 1) uncaught.handle("a text", "uncaughtException");
    expect({ said, exits, lines: lines.length }).toEqual({ said: [], exits: [], lines: 100 });
  });

  it("contains a rejection that has a zone, whatever --uncaught says", () => {
    const { uncaught, lines, said, exits } = setUp({ uncaught: "exit", zone: ZONE });
    uncaught.handle(ERROR, "unhandledRejection");
    expect({ said, exits }).toEqual({ said: [], exits: [] });
    expect(lines).toEqual([
      {
        level: "error",
        fields: { err: ERROR, requestId: "a-1", req: { method: "GET", path: "/x" } },
        message: "A rejected promise that nobody awaited: its request was answered with 500",
      },
    ]);
  });

  it.each([
    ["answered", "its request was answered with 500"],
    ["cut", "its request was cut off, since its answer had begun"],
    ["over", "its request was over"],
  ] as const)("a thrown error that has a zone follows --uncaught and says that its request was %s", (failure, text) => {
    const { uncaught, lines, said } = setUp({ zone: { ...ZONE, fail: () => failure } });
    uncaught.handle(ERROR, "uncaughtException");
    expect(said).toEqual(["failed"]);
    expect(lines).toMatchObject([{ level: "fatal", message: `Uncaught error: the instance is replaced, ${text}` }]);
  });

  it("lets a handler stumble over the 500, but over nothing else", () => {
    const { uncaught, lines, said } = setUp({ zone: { ...ZONE, failed: true, fail: () => "over" } });
    uncaught.handle(Object.assign(new Error("sent"), { code: "ERR_HTTP_HEADERS_SENT" }), "uncaughtException");
    expect({ said, levels: lines.map(({ level }) => level) }).toEqual({ said: [], levels: ["debug"] });
    uncaught.handle(ERROR, "uncaughtException");
    expect(said).toEqual(["failed"]);
    const other = setUp({ zone: ZONE });
    other.uncaught.handle(Object.assign(new Error("sent"), { code: "ERR_HTTP_HEADERS_SENT" }), "uncaughtException");
    expect(other.said).toEqual(["failed"]);
  });
});
