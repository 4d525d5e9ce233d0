import { describe, expect, test } from "vitest";
import { ChoirError } from "../../../src/errors.ts";
import {
  clashes,
  compileHeaderPolicy,
  DEFAULT_APP_HEADERS,
  keptValues,
  type RemovedResponseHeaders,
} from "../../../src/http/headers.ts";

/** What is thrown, to look at code and message. */
function refusal(options: unknown): ChoirError {
  try {
    compileHeaderPolicy(options as Parameters<typeof compileHeaderPolicy>[0]);
  } catch (error) {
    if (error instanceof ChoirError) return error;
    throw error;
  }
  throw new Error("was not refused");
}

describe("compileHeaderPolicy", () => {
  test("of nothing is empty", () => {
    expect(compileHeaderPolicy()).toMatchObject({ isEmpty: true, flat: [] });
    expect(compileHeaderPolicy({ responseHeaders: {}, removeResponseHeaders: [] }).isEmpty).toBe(true);
  });

  test("keeps the names' case and several values", () => {
    const { flat } = compileHeaderPolicy({ responseHeaders: { "X-One": "1", "X-Two": ["a", "b"] } });
    expect(flat).toEqual(["X-One", "1", "X-Two", ["a", "b"]]);
  });

  test("lets responseHeaders win over defaults, in any case", () => {
    const { flat } = compileHeaderPolicy({
      defaults: DEFAULT_APP_HEADERS,
      responseHeaders: { "x-frame-options": "DENY" },
    });
    expect(flat).toEqual(["x-frame-options", "DENY", "X-Content-Type-Options", "nosniff"]);
  });

  test.each<{ form: string; removeResponseHeaders: RemovedResponseHeaders }>([
    { form: "the value", removeResponseHeaders: { "x-frame-options": "SAMEORIGIN" } },
    { form: "several values", removeResponseHeaders: { "x-frame-options": ["DENY", "SAMEORIGIN"] } },
    { form: "true", removeResponseHeaders: { "X-FRAME-OPTIONS": true } },
    { form: "a list of names", removeResponseHeaders: ["X-Frame-Options"] },
  ])("removes after it added: $form", ({ removeResponseHeaders }) => {
    const { flat } = compileHeaderPolicy({ defaults: DEFAULT_APP_HEADERS, removeResponseHeaders });
    expect(flat).toEqual(["X-Content-Type-Options", "nosniff"]);
  });

  test("leaves a value that is not the one removed", () => {
    const { flat } = compileHeaderPolicy({
      responseHeaders: { A: ["x", "y"] },
      removeResponseHeaders: { a: ["y", "X"] },
    });
    expect(flat).toEqual(["A", "x"]);
  });

  test("joins what is removed under names of different case", () => {
    const { removes } = compileHeaderPolicy({
      removeResponseHeaders: { "X-A": "1", "x-a": "2", "X-B": "1", "x-b": true },
    });
    expect([...removes]).toEqual([
      ["x-a", new Set(["1", "2"])],
      ["x-b", true],
    ]);
  });

  test("knows which removed headers Node writes by itself", () => {
    const { removesOfNode } = compileHeaderPolicy({ removeResponseHeaders: ["Date", "X-Powered-By", "Keep-Alive"] });
    expect([...removesOfNode.keys()]).toEqual(["date", "keep-alive"]);
  });

  test.each([
    [{ responseHeaders: { "X Bad": "1" } }, 'responseHeaders: "X Bad" is no header name'],
    [{ responseHeaders: { "": "1" } }, 'responseHeaders: "" is no header name'],
    [
      { responseHeaders: { "X-A": "a\nb" } },
      'the value of "X-A" holds a character that HTTP does not allow, got "a\\nb"',
    ],
    [{ responseHeaders: { "X-A": ["ok", "\u0000"] } }, 'the value of "X-A" holds'],
    [{ responseHeaders: { "X-A": 5 } }, 'the value of "X-A" must be a string or an array of strings, got 5 (number)'],
    [{ responseHeaders: { "X-A": "1", "x-a": "2" } }, '"x-a" is there twice'],
    [{ responseHeaders: { "Content-Length": "1" } }, '"Content-Length" says where one response ends'],
    [{ responseHeaders: ["X-A"] }, "responseHeaders must be an object"],
    [{ removeResponseHeaders: { "X-A": false } }, 'removeResponseHeaders: the value of "X-A" must be'],
    [{ removeResponseHeaders: ["X-A", 7] }, "removeResponseHeaders: 7 (number) is no header name"],
    [{ removeResponseHeaders: { "X:A": true } }, 'removeResponseHeaders: "X:A" is no header name'],
    [{ removeResponseHeaders: "X-A" }, "removeResponseHeaders must be an object"],
  ])("refuses %j", (options, message) => {
    const error = refusal(options);
    expect(error.code).toBe("ERR_CHOIR_HEADER");
    expect(error.message).toContain(message);
  });
});

test("clashes looks at names in any case", () => {
  const policy = compileHeaderPolicy({ responseHeaders: { "X-Added": "1" }, removeResponseHeaders: { "X-Gone": "1" } });
  expect(["x-added", "X-GONE"].map((name) => clashes(policy, name))).toEqual([true, true]);
  expect(["x-adde", "x-adder", ""].map((name) => clashes(policy, name))).toEqual([false, false, false]);
  expect(clashes(compileHeaderPolicy({ removeResponseHeaders: ["Keep-Alive"] }), "Connection")).toBe(true);
});

test("keptValues gives the same array when nothing is removed", () => {
  const values = ["a", "b"];
  expect(keptValues(values, undefined)).toBe(values);
  expect(keptValues(values, new Set(["A"]))).toBe(values);
  expect(keptValues(values, new Set(["a"]))).toEqual(["b"]);
  expect(keptValues(values, true)).toEqual([]);
});
