import { describe, expect, it } from "vitest";
import { ErrorJoiner, type Passage } from "../../../src/logs/errors-in-text.ts";

function join(text: string): string[] {
  const passages: Passage[] = [];
  const joiner = new ErrorJoiner((passage) => passages.push(passage));
  for (const line of text.split("\n")) joiner.push({ text: line, cutBytes: 0, partial: false }, 0);
  joiner.flush();
  return passages.map((passage) => passage.text);
}

// As Node 20 prints them.
const INSPECTED = `TypeError: bad
second line
    at f (file:///app/a.mjs:2:21)
    at file:///app/a.mjs:3:38
    ... 2 lines matching cause stack trace ...
    at async run (node:internal/modules/run_main:117:5) {
  code: 'E1',
  info: { a: 1, b: { c: [Array] } },
  [cause]: AggregateError: agg
      at f (file:///app/a.mjs:2:64) {
    [errors]: [
      Error: x
          at f (file:///app/a.mjs:2:84)
    ]
  }
}`;
const UNCAUGHT = `file:///app/a.mjs:5
else { Promise.reject(new Error("rejected")); }
                      ^

Error: rejected
    at file:///app/a.mjs:5:53

Node.js v20.20.2`;
const THROWN_STRING = `node:internal/modules/run_main:123
    triggerUncaughtException(
    ^
a string
(Use \`node --trace-uncaught ...\` to show where the exception was thrown)

Node.js v20.20.2`;
const NOT_FOUND = `node:internal/modules/cjs/loader:1210
  throw err;
  ^

Error: Cannot find module './nothere'
Require stack:
- /app/c.cjs
    at Module._resolveFilename (node:internal/modules/cjs/loader:1207:15) {
  code: 'MODULE_NOT_FOUND',
  requireStack: [ '/app/c.cjs' ]
}

Node.js v20.20.2`;
const REJECTION = `node:internal/process/promises:389
      new UnhandledPromiseRejection(reason);
      ^

[UnhandledPromiseRejection: This error originated either by throwing] {
  code: 'ERR_UNHANDLED_REJECTION'
}

Node.js v24.1.0`;

describe("ErrorJoiner", () => {
  it.each([
    ["an inspected error with cause and properties", INSPECTED],
    ["an error after a label", INSPECTED.replace("TypeError", "Oops: TypeError")],
    ["an uncaught error", UNCAUGHT],
    ["an uncaught string", THROWN_STRING],
    ["a module that is not there", NOT_FOUND],
    ["a rejection of no error", REJECTION],
    ["an error without a stack", "[Error: x] {\n  code: 'E1'\n}"],
    ["an error of an unknown name", "OutOfPaper: tray 2\n    at print (/app/printer.js:3:7)"],
    ["a warning", "(node:1) Warning: careful\nsome detail\n(Use `node --trace-warnings ...` to show where)"],
  ])("makes one passage of %s, and none of its neighbours part of it", (_what, text) => {
    expect(join(`before\n${text}\nafter\n  indented`)).toEqual(["before", text, "after", "  indented"]);
  });

  it("leaves out the empty line before Node's print", () => {
    expect(join(`before\n\n${THROWN_STRING}\nafter`)).toEqual(["before", THROWN_STRING, "after"]);
  });

  it("takes nothing more after the line that ends Node's print", () => {
    expect(join(`${UNCAUGHT}\n\nafter`)).toEqual([UNCAUGHT, "", "after"]);
  });

  it("parts two errors in a row", () => {
    expect(join(`${INSPECTED}\n${INSPECTED}\n${UNCAUGHT}\n${UNCAUGHT}`)).toEqual([
      INSPECTED,
      INSPECTED,
      UNCAUGHT,
      UNCAUGHT,
    ]);
    const plain = "Error: a\n    at f (/a.js:1:1)";
    expect(join(`${plain}\n${plain}`)).toEqual([plain, plain]);
  });

  it.each([
    ["plain lines", "a\nb\n\n  c\n}\nd"],
    ["messages without a stack", "Error: a\nError: b\nthe end\nTypeError: c"],
    ["a time that looks like a location", "/at/12:30\na\nb\nc\nd\ne\nf\ng"],
    ["lines after a message that no frame follows", `Error: a\n${"line\n".repeat(40)}end`],
    ["an object that was logged", "{\n  a: 1,\n  b: 2\n}"],
  ])("keeps %s apart", (_what, text) => {
    expect(join(text)).toEqual(text.split("\n"));
  });

  it("bounds a passage", () => {
    const passages = join(`Error: a\n${"    at f (/a.js:1:1)\n".repeat(2500)}end`);
    expect(passages.map((text) => text.split("\n").length)).toEqual([1000, 1000, 501, 1]);
  });

  it("adds up the marks of the lines", () => {
    const passages: Passage[] = [];
    const joiner = new ErrorJoiner((passage) => passages.push(passage));
    joiner.push({ text: "Error: a", cutBytes: 2, partial: false }, 7);
    joiner.push({ text: "    at f", cutBytes: 3, partial: true }, 8);
    joiner.flush();
    expect(passages).toEqual([{ text: "Error: a\n    at f", cutBytes: 5, partial: true, time: 7 }]);
  });

  it("holds only what looks like the beginning of an error", () => {
    const passages: string[] = [];
    const joiner = new ErrorJoiner((passage) => passages.push(passage.text));
    const push = (text: string): boolean => {
      joiner.push({ text, cutBytes: 0, partial: false }, 0);
      return joiner.settle();
    };
    expect(push("plain")).toBe(false);
    expect(passages).toEqual(["plain"]);
    expect(push("Error: a")).toBe(true);
    expect(push("    at f (/a.js:1:1)")).toBe(true);
    expect(passages).toEqual(["plain"]);
    expect(push("next")).toBe(false);
    expect(passages).toEqual(["plain", "Error: a\n    at f (/a.js:1:1)", "next"]);
  });
});
