/** Takes the code blocks out of README.md and makes programs of them, as a reader would: compiled against the package by its name. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's folder. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Below the package's own folder, where `import "choir"` finds it by its name, and its dependencies. */
const PROGRAMS = path.join(ROOT, "dist/readme");

export interface Block {
  readonly language: string;
  readonly text: string;
}

/** Every code block of a text, in its order. */
export function codeBlocks(markdown: string): Block[] {
  return [...markdown.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language = "", text = ""]) => ({
    language,
    text,
  }));
}

export function readReadme(): string {
  return readFileSync(path.join(ROOT, "README.md"), "utf8");
}

/** The programs of the README by the file name that their first line gives. */
export function programBlocks(): Map<string, string> {
  return new Map(
    codeBlocks(readReadme())
      .filter(({ language }) => language === "ts")
      .map(({ text }) => [/^\/\/ (\S+\.ts)\n/.exec(text)?.[1] ?? "a block without a file name", text]),
  );
}

/** Writes the programs and compiles them with the settings that a reader's project has; what the compiler said comes back. */
export function compilePrograms(programs: ReadonlyMap<string, string>): string {
  mkdirSync(PROGRAMS, { recursive: true });
  for (const [file, text] of programs) writeFileSync(path.join(PROGRAMS, file), text);
  const config = {
    compilerOptions: {
      target: "ES2023",
      module: "NodeNext",
      types: ["node"],
      strict: true,
      skipLibCheck: true,
      noUncheckedIndexedAccess: true,
      noUnusedLocals: true,
      verbatimModuleSyntax: true,
      rootDir: ".",
    },
  };
  writeFileSync(path.join(PROGRAMS, "tsconfig.json"), JSON.stringify(config));
  const tsc = path.join(path.dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
  return spawnSync(process.execPath, [tsc, "-p", PROGRAMS], { encoding: "utf8" }).stdout;
}

/** A program of the README, compiled; `source` is the file as the reader wrote it. */
export function programFile(name: string, { source = false } = {}): string {
  return path.join(PROGRAMS, source ? name : name.replace(/\.ts$/, ".js"));
}
