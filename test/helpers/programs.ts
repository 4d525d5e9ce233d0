/**
 * Tests that need programs of the system: where one is missing they are skipped, with a line that says so; in CI, which installs all of
 * them, that is a failure.
 */
import { accessSync, constants } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";

/** Debian puts servers into folders that a user's PATH lacks. */
const MORE_FOLDERS = ["/usr/sbin", "/sbin"];

/** The program's path, where it is installed. */
export function findProgram(program: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(path.delimiter), ...MORE_FOLDERS];
  return folders.map((folder) => path.join(folder, program)).find(isExecutable);
}

/** Those of the programs that are not installed. */
function missingPrograms(programs: readonly string[]): string[] {
  return programs.filter((program) => findProgram(program) === undefined);
}

/** A `describe` that needs programs, or something else of the machine: `obstacle` says why it cannot run here. */
export function describeWith(
  needs: { readonly programs: readonly string[]; readonly obstacle?: () => string | undefined },
  title: string,
  body: () => void,
): void {
  const missing = missingPrograms(needs.programs);
  const why = missing.length > 0 ? `not installed: ${missing.join(", ")}` : needs.obstacle?.();
  if (why === undefined) {
    describe(title, body);
  } else if (process.env["CHOIR_TEST_SKIPS"] === "fail") {
    it(`${title} can run`, () => expect.unreachable(why));
  } else {
    console.warn(`\n*** SKIPPED: ${title}: ${why} ***\n`);
    describe.skip(`${title} (${why})`, body);
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
