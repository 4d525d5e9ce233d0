// The help, compared with a file that a person reads, and what must hold at any width.
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { banner, leftOf, renderHelp } from "../../../src/options/help.ts";
import { flagOf, OPTION_NAMES } from "../../../src/options/table.ts";

const EXPECTED = new URL("../../fixtures/help.txt", import.meta.url);
const input = { program: "node main.js", name: "example" };

it("is as test/fixtures/help.txt", () => {
  expect(renderHelp(input)).toBe(readFileSync(EXPECTED, "utf8"));
});

it("begins with the banner", () => {
  expect(renderHelp(input).startsWith(banner())).toBe(true);
});

it.each([57, 60, 80, 100, 200])("fits %i columns", (columns) => {
  const lines = renderHelp({ ...input, columns })
    .slice(banner().length)
    .split("\n");
  const longest = Math.max(...lines.map((line) => line.length));
  expect(longest).toBeLessThanOrEqual(columns);
  expect(longest).toBeGreaterThan(Math.min(columns, 140) - 16);
});

it("has every option once, and no trailing space", () => {
  const lines = renderHelp({ ...input, columns: 10 }).split("\n");
  for (const name of OPTION_NAMES) {
    expect(
      lines.filter((line) => `${line.trim()}  `.startsWith(`${leftOf(name).trim()}  `)),
      flagOf(name),
    ).toHaveLength(1);
  }
  expect(lines.filter((line) => line.endsWith(" "))).toEqual([]);
});

it("shows the Runner's own defaults", () => {
  const help = renderHelp({
    ...input,
    defaults: { port: 8080, quiet: true, socketMode: 0o600, address: ["::", "::1"] },
  });
  expect(help).toContain("[default 8080, env PORT]");
  expect(help).toContain("[default on]");
  expect(help).toContain("[default 0600]");
  expect(help).toContain("[default ::,::1,");
});
