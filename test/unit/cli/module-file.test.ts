// What node needs for a file, and what the app is called.
import { describe, expect, it } from "vitest";
import { splitFlags, typeScriptFlags } from "../../../src/cli/module-file.ts";

describe("flags for TypeScript", () => {
  const here = new URL(import.meta.url).pathname;
  const flags = (file: string, features: string | false, given: readonly string[] = []) =>
    typeScriptFlags(file, { given, features });

  it("none for JavaScript, or where node strips types", () => {
    expect(flags("/app/main.mjs", false)).toEqual([]);
    expect(flags("/app/main.ts", "strip")).toEqual([]);
    expect(flags("/app/main.ts", false, ["--experimental-strip-types"])).toEqual([]);
  });

  it("none where a loader is named", () => {
    expect(flags("/app/main.ts", false, ["--import", "./loader.mjs"])).toEqual([]);
  });

  it("the app's own tsx elsewhere, and for JSX always", () => {
    expect(flags(here, false)).toEqual(["--import", expect.stringMatching(/^file:.*node_modules\/tsx\//)]);
    expect(flags(here.replace(/ts$/, "tsx"), "strip")).toHaveLength(2);
  });

  it("says what to install", () => {
    expect(() => flags("/nowhere/main.ts", false)).toThrow('"main.ts" is TypeScript');
    expect(() => flags("/nowhere/main.tsx", "strip")).toThrow("TypeScript or JSX");
  });
});

it("cuts flags as NODE_OPTIONS is read", () => {
  expect(splitFlags('  --a=1  --title="two words" "--b c" --d="q\\"q"')).toEqual([
    "--a=1",
    "--title=two words",
    "--b c",
    '--d=q"q',
  ]);
});
