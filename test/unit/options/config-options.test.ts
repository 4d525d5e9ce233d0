// The configuration file: what it may hold, what wins over it, and what is said of what it must not hold.
import { describe, expect, it } from "vitest";
import { ChoirError } from "../../../src/errors.ts";
import { jsonErrorLine } from "../../../src/options/json-error.ts";
import { resolveOptions, resolveStartOptions } from "../../../src/options/resolve.ts";

const TEXT = '{\n  "port": 1,\n  "prot": 2,\n  "shutdownTimeout": 3\n}\n';
const fileOf = (content: unknown, text = TEXT) => ({ file: "choir.config.json", text, content });

function resolve(content: unknown, given: { args?: string[]; environment?: NodeJS.ProcessEnv } = {}) {
  const { args = [], environment = {} } = given;
  const resolution = resolveOptions({ args, environment, code: { port: 1, concurrency: 2 }, file: fileOf(content) });
  if (resolution.kind === "help") throw new Error("Help was not asked for");
  return resolution;
}

function errorOf(content: unknown): ChoirError {
  try {
    resolve(content);
  } catch (error) {
    if (error instanceof ChoirError) return error;
  }
  throw new Error("It was accepted");
}

describe("a configuration file", () => {
  it("wins over the Runner's options, and not over the environment or a flag", () => {
    const content = { port: 80, concurrency: 3, quiet: true };
    const { options, origins } = resolve(content, {
      environment: { WEB_CONCURRENCY: "4" },
      args: ["--bind-retry", "1s"],
    });
    expect(options).toMatchObject({ port: 80, concurrency: 4, quiet: true, bindRetry: 1000 });
    expect(origins.port).toEqual({ from: "file", name: "choir.config.json:2" });
    expect(origins.concurrency.from).toBe("environment");
  });

  it("takes times and sizes as on the command line, or as in code", () => {
    expect(resolve({ shutdownTimeout: "10s", maxHeaderSize: "32KiB", socketMode: "0600" }).options).toMatchObject({
      shutdownTimeout: 10_000,
      maxHeaderSize: 32_768,
      socketMode: 0o600,
    });
    expect(resolve({ shutdownTimeout: 500, maxMemory: "25%" }).options).toMatchObject({
      shutdownTimeout: 500,
      maxMemory: "25%",
    });
  });

  it("may hold headers, a schema, and what choir start has", () => {
    expect(resolve({ $schema: "x", responseHeaders: { a: "b" }, module: "app.js" }).options.port).toBe(1);
    const started = resolveStartOptions({ args: [], environment: {}, code: {}, file: fileOf({ module: "app.js" }) });
    expect(started).toMatchObject({ start: { module: "app.js" } });
  });

  it.each([
    [{ prot: 80 }, 'Unknown option "prot" in choir.config.json:3, did you mean port?'],
    [{ hooks: {} }, 'Unknown option "hooks" in choir.config.json'],
    [{ config: "x" }, 'Unknown option "config" in choir.config.json'],
    [{ port: "80" }, 'port must be a whole number from 0 to 65535, got the string "80" (from choir.config.json:2)'],
    [{ shutdownTimeout: "10" }, 'got the string "10" (from choir.config.json:4): write 10s or 10ms'],
    [{ quiet: "yes" }, "quiet must be true or false"],
    [[1], "choir.config.json must hold an object of options, got an array of 1"],
    [undefined, "choir.config.json must hold an object of options, got nothing"],
  ])("%j is refused", (content, message) => {
    const error = errorOf(content);
    expect(error.message).toContain(message);
    expect(error.exitCode).toBe(78);
  });
});

it.each([
  ['{\n  "a": 1,\n  "b": x\n}', 3],
  ['{\n  "a": 1\n  "b": 2\n}', 3],
  ['{ "a": 1,\n}', 2],
  ["{\n 'a': 1 }", 2],
  ['{\n  "a": [1, 2', 2],
  ['{\n  "a": 1 // why\n}', 2],
  ["", 1],
  ["{}\n{}", 2],
])("%j stops being JSON on line %i", (text, line) => {
  expect(jsonErrorLine(text)).toBe(line);
});
