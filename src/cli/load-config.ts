/** Runs a configuration file and writes what it exports to descriptor 3: a program of its own, started by config-file.ts. */
import { writeSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { programArguments } from "../options/environment.ts";

const [file = ""] = programArguments().args;
const module = (await import(pathToFileURL(file).href)) as { default?: unknown };
const { default: exported } = module;
// What TypeScript makes of a file for CommonJS.
const value = (exported as { default?: unknown } | undefined)?.default ?? exported;
const content: unknown = typeof value === "function" ? await (value as () => unknown)() : value;
// A function would be left out without a word.
const replacer = (_key: string, item: unknown): unknown => (typeof item === "function" ? "a function" : item);
writeSync(3, JSON.stringify({ content }, replacer));
process.exit(0);
