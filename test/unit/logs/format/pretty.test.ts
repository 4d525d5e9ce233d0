import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chooseEncoding, isJournalStream, wantsColors } from "../../../../src/logs/format/formatter.ts";
import { formatJournal } from "../../../../src/logs/format/journal.ts";
import { createPretty } from "../../../../src/logs/format/pretty.ts";
import { ofEvent, ofLine } from "../make-records.ts";

const pretty = createPretty({ colors: false });
const TIME = new Date(2026, 10, 22, 17, 25, 44, 123).getTime();
const HEAD = "2026-11-22 17:25:44.123 INFO  [example#0] ";

function show(text: string): string {
  return pretty(ofLine(text, {}, TIME));
}

describe("pretty", () => {
  it("shows local time, level, instance and text", () => {
    expect(show("hello\tthere")).toBe(`${HEAD}hello\tthere\n`);
  });

  it("keeps times apart within a second and over its border", () => {
    const times = [TIME, TIME + 5, TIME + 877, TIME - 124].map((time) => pretty(ofLine("x", {}, time)).slice(17, 23));
    expect(times).toEqual(["44.123", "44.128", "45.000", "43.999"]);
  });

  it("shows the supervisor's events with their details indented", () => {
    const event = { event: "stray-error", error: "bad", stack: "Error: bad\n    at f" } as const;
    const lines = pretty(ofEvent(event, TIME)).split("\n");
    expect(lines[0]).toMatch(/ ERROR \[example\] Uncaught error in the supervisor.*: bad\. /);
    expect(lines.slice(1, 3)).toEqual(["    Error: bad", "        at f"]);
  });

  it("indents further lines, so that only a record begins at the margin", () => {
    expect(show("Error: a\n    at f")).toBe(`${HEAD}Error: a\n        at f\n`);
  });

  it("shows a JSON line's message and its other fields in short", () => {
    expect(
      show(
        `{"level":30,"time":${TIME},"pid":7,"hostname":"h","msg":"done","ms":5,"path":"/a","who":"a b","list":[1,{"x":null}]}`,
      ),
    ).toBe(`${HEAD}done ms=5 path=/a who="a b" list=[1,{"x":null}]\n`);
  });

  it("takes level and time from the line, and `message` where there is no msg", () => {
    expect(show(`{"level":"error","time":${TIME - 123},"message":"bad"}`)).toBe(
      "2026-11-22 17:25:44.000 ERROR [example#0] bad\n",
    );
  });

  it("shows another name and pid than ours, which the prefix does not say", () => {
    expect(show('{"name":"db","pid":8,"msg":"x"}')).toBe(`${HEAD}x name=db pid=8\n`);
    expect(show('{"name":"example","pid":7,"msg":"x"}')).toBe(`${HEAD}x\n`);
  });

  it("shows stacks in full beneath", () => {
    expect(show('{"msg":"oops","err":{"type":"Error","message":"bad","stack":"Error: bad\\n    at f"}}')).toBe(
      `${HEAD}oops err={"type":"Error","message":"bad"}\n    Error: bad\n        at f\n`,
    );
    expect(show('{"message":"oops","stack":"Error: oops\\n    at f"}')).toBe(
      `${HEAD}oops\n    Error: oops\n        at f\n`,
    );
  });

  it("survives a line that is nested deeper than the stack", () => {
    const depth = 20_000;
    expect(show(`{"msg":"x","a":${"[".repeat(depth)}${"]".repeat(depth)}}`)).toMatch(/x a=\[/);
  });

  it("escapes what would steer the terminal or reorder what is read", () => {
    expect(show("a\u001b[2Jb\rc\u0007d\u009be\u202ef\u2028g\u007f")).toBe(
      `${HEAD}a\\x1b[2Jb\\rc\\x07d\\x9be\\u202ef\\u2028g\\x7f\n`,
    );
  });

  it("lets nothing an app writes begin a line or carry a control character", () => {
    const line = fc.oneof(
      fc.string({ unit: "binary" }),
      fc
        .dictionary(fc.string({ unit: "binary" }), fc.jsonValue({ stringUnit: "binary" }))
        .map((value) => JSON.stringify(value)),
      fc
        .record({ msg: fc.string({ unit: "binary" }), stack: fc.string({ unit: "binary" }) })
        .map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(line, (text) => {
        const [first, ...rest] = show(text).slice(0, -1).split("\n");
        expect(first).toMatch(/^\d{4}-.* \[example#0\] /);
        for (const line of rest) expect(line).toMatch(/^ {4}/);
        expect([first, ...rest].join("")).not.toMatch(/(?!\t)[\p{Cc}\u2028\u2029]/u);
      }),
      { numRuns: 50 },
    );
  });

  it("says that a line was cut or not finished", () => {
    expect(pretty(ofLine("x", { cutBytes: 9, partial: true }, TIME))).toBe(
      `${HEAD}x [9 bytes cut] [line not finished]\n`,
    );
  });

  it("colours only when asked", () => {
    const colored = createPretty({ colors: true })(ofLine("x", {}, TIME));
    expect(colored).toBe("\u001b[2m2026-11-22 17:25:44.123\u001b[0m \u001b[32mINFO \u001b[0m [example#0] x\n");
  });
});

describe("chooseEncoding", () => {
  const choose = (
    format: "auto" | "pretty" | "json" | "journal" | "raw",
    isTTY = false,
    isJournal = false,
  ): unknown => {
    const encoding = chooseEncoding({ format, isTTY, isJournal, colors: false });
    if (encoding === formatJournal) return "journal";
    return typeof encoding === "string" ? encoding : "pretty";
  };

  it("is pretty on a terminal, the journal's for the journal, and JSON elsewhere, unless told", () => {
    expect([choose("auto", true), choose("auto", true, true), choose("auto"), choose("auto", false, true)]).toEqual([
      "pretty",
      "pretty",
      "json",
      "journal",
    ]);
    for (const format of ["pretty", "json", "journal", "raw"] as const) {
      expect([choose(format, true), choose(format), choose(format, false, true)]).toEqual([format, format, format]);
    }
  });

  it("knows the journal's stream by device and inode", () => {
    expect(isJournalStream({ dev: 9, ino: 12345 }, { JOURNAL_STREAM: "9:12345" })).toBe(true);
    expect(isJournalStream({ dev: 9, ino: 12345 }, { JOURNAL_STREAM: "9:1234" })).toBe(false);
    expect(isJournalStream({ dev: 9, ino: 12345 }, {})).toBe(false);
  });
});

describe("wantsColors", () => {
  it.each([
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: "1" }, false],
    [true, { NO_COLOR: "" }, true],
    [true, { TERM: "dumb" }, false],
    [false, { FORCE_COLOR: "1" }, true],
    [false, { FORCE_COLOR: "", NO_COLOR: "1" }, true],
    [true, { FORCE_COLOR: "0" }, false],
  ])("on a terminal %s with %j: %s", (isTTY, env, expected) => {
    expect(wantsColors(isTTY, env)).toBe(expected);
  });
});
