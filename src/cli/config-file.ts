/**
 * Finds and reads choir.config.ts, .js, .mjs or .json. Runs in the supervisor, which reads JSON itself; a file of code is run by a
 * process of its own (load-config.ts), so that nothing of it stays in the supervisor.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describeThrown, quote } from "../errors.ts";
import type { FileOptions } from "../options/config-options.ts";
import { programArguments } from "../options/environment.ts";
import { jsonErrorLine } from "../options/json-error.ts";
import { configError } from "../options/origin.ts";
import { typeScriptFlags } from "./module-file.ts";

const NAMES = ["choir.config.ts", "choir.config.js", "choir.config.mjs", "choir.config.json"] as const;
const LOADER = fileURLToPath(new URL("./load-config.js", import.meta.url));
/** How long a file of code may take, in milliseconds: it is to hold options, and not to fetch them. */
const LOAD_MS = 10_000;

/** Reads the file that --config names, or the one that there is in `cwd`; undefined when there is none, or --config is off. */
export function readConfigFile(given: string | undefined, cwd: string): FileOptions | undefined {
  if (given === "off") return undefined;
  const file = given === undefined ? findFile(cwd) : path.resolve(cwd, given);
  if (file === undefined) return undefined;
  const shown = given ?? path.relative(cwd, file);
  const text = readText(file, shown);
  return { file: shown, text, content: file.endsWith(".json") ? parseJson(text, shown) : runFile(file, shown) };
}

function findFile(cwd: string): string | undefined {
  const found = NAMES.map((name) => path.join(cwd, name)).filter((file) => existsSync(file));
  const [first, second] = found;
  if (first !== undefined && second !== undefined) {
    const names = found.map((file) => path.basename(file)).join(" and ");
    throw configError(`There are several configuration files: ${names}`, {
      hint: "Remove all but one, or name one with --config",
    });
  }
  return first;
}

function readText(file: string, shown: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw configError(`The configuration file ${quote(shown)} cannot be read: ${describeThrown(error)}`, {
      cause: error,
    });
  }
}

function parseJson(text: string, shown: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw configError(`${shown}:${jsonErrorLine(text)} is no JSON: ${describeThrown(error)}`, { cause: error });
  }
}

function runFile(file: string, shown: string): unknown {
  const { execPath, execArgv } = programArguments();
  const { typescript } = process.features as { typescript?: string | false };
  const flags = [
    ...execArgv.filter((flag) => !flag.startsWith("--inspect")),
    ...typeScriptFlags(file, { given: execArgv, features: typescript }),
  ];
  const { status, signal, stderr, output } = spawnSync(execPath, [...flags, LOADER, file], {
    // What the file prints is no part of its options.
    stdio: ["ignore", "ignore", "pipe", "pipe"],
    encoding: "utf8",
    timeout: LOAD_MS,
    cwd: path.dirname(file),
  });
  if (signal === "SIGTERM") throw configError(`${shown} did not end within ${LOAD_MS / 1000} s`);
  const written = status === 0 ? parseWritten(output[3] ?? "") : undefined;
  if (written !== undefined) return written.content;
  // Node ends with 13 when nothing is left that could settle an await at the top level.
  const how =
    status === 13
      ? "it awaits what never comes"
      : `it ended the process ${signal === null ? `with exit code ${status}` : `by ${signal}`}`;
  throw configError(
    stderr.trim() === "" || status === 13
      ? `${shown} cannot be loaded: ${how}`
      : explainFailure(stderr, { file, shown }),
  );
}

/** What load-config.ts has written; undefined when the file itself has ended the process, or written something there. */
function parseWritten(text: string): { readonly content?: unknown } | undefined {
  try {
    return JSON.parse(text) as { content?: unknown };
  } catch {
    return undefined;
  }
}

/** Makes one line of what node prints about a program that it cannot run. */
function explainFailure(stderr: string, { file, shown }: { file: string; shown: string }): string {
  const [, transformedLine, transformed] = /:(\d+):\d+: ERROR: (.*)/.exec(stderr) ?? [];
  if (transformed !== undefined) return `${shown}:${transformedLine} cannot be loaded: ${transformed}`;
  const [, place, line] = /^(?:file:\/\/)?(\/.*):(\d+)$/m.exec(stderr) ?? [];
  const frame = new RegExp(`${path.basename(file).replaceAll(".", "\\.")}:(\\d+):\\d+`).exec(stderr)?.[1];
  const message = /^(?:\w*Error\b.*?: .*)$/m.exec(stderr)?.[0] ?? thrownText(stderr);
  const isHere = place !== undefined && path.basename(place) === path.basename(file);
  const at = isHere ? `:${line}` : frame === undefined ? "" : `:${frame}`;
  return `${shown}${at} cannot be loaded: ${message}`;
}

/** What was thrown that is no error: node prints it before its own version and advice. */
function thrownText(stderr: string): string {
  const lines = stderr.split("\n").map((line) => line.trim());
  return lines.findLast((line) => line !== "" && !/^(?:Node\.js v\d|\(Use `node)/.test(line)) ?? "";
}
