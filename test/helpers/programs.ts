/**
 * Tests that need a program which is no npm package. Where it is missing, they are skipped with a loud line; with CHOIR_CI set, as in
 * .ci/run, which installs them all, they fail instead.
 */
import { accessSync, constants } from "node:fs";
import path from "node:path";
import { describe, it } from "vitest";

/** Where Debian puts servers; a user's PATH often lacks it. */
const FOLDERS = [...(process.env["PATH"] ?? "").split(path.delimiter), "/usr/sbin", "/sbin"];

/** The program's path, where it is installed. */
export function findProgram(name: string): string | undefined {
  return FOLDERS.map((folder) => path.join(folder, name)).find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** A `describe` for tests that start the programs, each of the Debian package of the same name unless `packages` says otherwise. */
export function describeWith(programs: readonly string[], name: string, tests: () => void, packages = programs): void {
  const missing = programs.filter((program) => findProgram(program) === undefined);
  if (missing.length === 0) {
    describe(name, tests);
    return;
  }
  const what = `${missing.join(" and ")} not installed: apt-get install ${packages.join(" ")}`;
  if (process.env["CHOIR_CI"]) {
    describe(name, () => {
      it("has the programs that it needs", () => {
        throw new Error(what);
      });
    });
    return;
  }
  process.stderr.write(`\n${"!".repeat(100)}\nSKIPPED: ${name}: ${what}\n${"!".repeat(100)}\n\n`);
  describe.skip(name, tests);
}
