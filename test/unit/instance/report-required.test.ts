// Which files a failed require has looked for.
import { expect, it } from "vitest";
import { missingModules } from "../../../src/instance/report-required.ts";

const notFound = (name: string, requireStack: unknown = ["/app/lib/main.cjs", "/app/index.cjs"]): Error =>
  Object.assign(new Error(`Cannot find module '${name}'\nRequire stack:\n- /app/lib/main.cjs`), {
    code: "MODULE_NOT_FOUND",
    requireStack,
  });

it("a relative or absolute name is looked for with its endings", () => {
  expect(missingModules(notFound("../other"))).toEqual(
    expect.arrayContaining(["/app/other", "/app/other.js", "/app/other/index.js"]),
  );
  expect(missingModules(notFound("/srv/x.cjs"))).toContain("/srv/x.cjs");
});

it.each([
  ["a package", notFound("express")],
  ["an entry", notFound("./x", [])],
  ["something else", new TypeError("no")],
  ["nothing", undefined],
])("%s is not", (_, thrown) => {
  expect(missingModules(thrown)).toEqual([]);
});
