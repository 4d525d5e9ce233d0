// The command line of `choir start`: its own options beside those of every program, and one operand.
import { describe, expect, it } from "vitest";
import { renderHelp } from "../../../src/options/help.ts";
import { resolveStartOptions, type StartResolution } from "../../../src/options/resolve.ts";
import { flagOf, OPTION_NAMES, START_OPTION_NAMES } from "../../../src/options/table.ts";

function resolve(
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): Extract<StartResolution, { kind: "run" }> {
  const resolution = resolveStartOptions({ args, environment, code: {} });
  if (resolution.kind === "help") throw new Error("Help was not asked for");
  return resolution;
}

describe("choir start's options", () => {
  it("takes the file as operand, and what follows -- as the app's", () => {
    const { start, origins, options, rest } = resolve([
      "app.js",
      "-p",
      "80",
      "--import",
      "a",
      "--import",
      "b",
      "--",
      "--x",
    ]);
    expect(start).toMatchObject({ module: "app.js", import: ["a", "b"], watch: false, serve: "auto" });
    expect(origins.module).toEqual({ from: "flag", name: "--module" });
    expect(options.port).toBe(80);
    expect(rest).toEqual(["--x"]);
  });

  it("takes the file from the environment", () => {
    expect(resolve([], { CHOIR_MODULE: "app.js" }).start.module).toBe("app.js");
  });

  it.each([
    [["a.js", "b.js"], /Unexpected argument "b.js"/],
    [["a.js", "--module", "b.js"], /Unexpected argument "a.js": --module names the file already/],
    [["a.js", "--wach"], /did you mean --watch\?/],
    [["a.js", "--serve", "all"], /--serve must be/],
  ])("refuses %j", (args, message) => {
    expect(() => resolve(args)).toThrow(message);
  });

  it("has help with every option", () => {
    const lines = renderHelp({ program: "choir start", name: "an app", forModule: true }).split("\n");
    for (const name of [...START_OPTION_NAMES, ...OPTION_NAMES]) {
      expect(lines.filter((line) => line.includes(flagOf(name).slice(2))).length, name).toBeGreaterThan(0);
    }
    expect(lines).toContain("Usage: choir start <file> [options] [-- arguments of the app]");
  });
});
