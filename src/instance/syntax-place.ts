/**
 * Finds the line of a syntax error in a module: Node says it only to a terminal, and not to who imports the module. Runs in an
 * instance of `choir start` that cannot load its file, and so may take its time.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

/** More files than this are not looked through. */
const MOST_FILES = 40;
const CHECK_MS = 5000;

/** The file and line (`/app/main.mjs:3`) that node cannot parse, among the file and those that it imports by relative paths. */
export function findSyntaxError(entry: string): string | undefined {
  const files = [entry];
  for (let index = 0; index < files.length && index < MOST_FILES; index++) {
    const file = files[index] ?? entry;
    const place = check(file);
    if (place !== undefined) return place;
    for (const next of relativeImports(file)) if (!files.includes(next)) files.push(next);
  }
  return undefined;
}

function check(file: string): string | undefined {
  const { stderr } = spawnSync(process.execPath, ["--check", file], { timeout: CHECK_MS, encoding: "utf8" });
  return /^(?:file:\/\/)?(\/.*:\d+)$/m.exec(stderr ?? "")?.[1];
}

function relativeImports(file: string): string[] {
  try {
    const text = readFileSync(file, "utf8");
    const specifiers = [...text.matchAll(/\b(?:from|import)\s*\(?\s*(["'])(\.{1,2}\/[^"']+)\1/g)].map(
      ([, , name = ""]) => name,
    );
    return specifiers.map((name) => path.resolve(path.dirname(file), name)).filter((name) => existsSync(name));
  } catch {
    return [];
  }
}
