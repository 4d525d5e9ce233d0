// The generated pages name all that the tables hold; `scripts/generate-docs.mjs --check` compares them letter by letter.
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { COMMANDS } from "../../src/cli/main.ts";
import { ROUTES } from "../../src/control/routes.ts";
import { ERRORS, EXIT, EXIT_MEANINGS } from "../../src/errors.ts";
import { leftOf } from "../../src/options/help.ts";
import { OPTION_NAMES, specOf, START_OPTION_NAMES } from "../../src/options/table.ts";

function page(name: string): string {
  return readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8");
}

it("docs/options.md has every option with its sentence, and no other", () => {
  const options = page("options.md");
  for (const name of [...START_OPTION_NAMES, ...OPTION_NAMES]) {
    expect(options).toContain(`### \`${leftOf(name).trim()}\`\n\n${specOf(name).help}.\n`);
  }
  expect(options.match(/^### /gm)).toHaveLength(START_OPTION_NAMES.length + OPTION_NAMES.length);
});

it("docs/errors.md has every error with its remedy and every exit code, and no other", () => {
  const errors = page("errors.md");
  for (const [code, { about, remedy }] of Object.entries(ERRORS)) {
    expect(errors).toContain(`### ${code}\n\n${about}\n\n${remedy}\n`);
  }
  expect(errors.match(/^### /gm)).toHaveLength(Object.keys(ERRORS).length);
  for (const [code, meaning] of Object.entries(EXIT_MEANINGS)) expect(errors).toContain(`| ${code} | ${meaning} |`);
  expect(Object.keys(EXIT_MEANINGS).map(Number)).toEqual(Object.values(EXIT));
});

it("docs/commands.md has every command and every route", () => {
  const commands = page("commands.md");
  for (const { name, operands } of COMMANDS) expect(commands).toContain(`| \`choir ${name} ${operands}\` | `);
  for (const { method, path, about } of ROUTES) expect(commands).toContain(`| \`${method} ${path}\` | ${about} |\n`);
});

it("docs/openapi.json has every route with what it takes, and no other", () => {
  const { openapi, paths } = JSON.parse(page("openapi.json")) as {
    openapi: string;
    paths: Record<string, Record<string, { summary: string }>>;
  };
  expect(openapi).toBe("3.1.0");
  const found = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { summary }]) => `${method.toUpperCase()} ${path} ${summary}`),
  );
  expect(found.toSorted()).toEqual(ROUTES.map(({ method, path, about }) => `${method} ${path} ${about}`).toSorted());
});
