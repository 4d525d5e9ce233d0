/**
 * Where options come from besides the command line: the environment with its files, and the configuration file. Runs in the
 * supervisor, before anything else is resolved.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { parseEnv } from "node:util";
import { describeThrown, quote } from "../errors.ts";
import { compileHeaderPolicy, type HeaderPolicyOptions } from "../http/headers.ts";
import { parseArguments } from "../options/argv.ts";
import type { FileOptions } from "../options/config-options.ts";
import { environmentText, processEnvironment, programArguments } from "../options/environment.ts";
import { configError } from "../options/origin.ts";
import { START_GRAMMAR } from "../options/resolve.ts";
import type { AnyOptionName, TableOptions } from "../options/table.ts";
import { checkFile } from "../options/config-options.ts";
import { readConfigFile } from "./config-file.ts";

export interface Sources {
  /** The app's working directory, absolute. */
  readonly cwd: string;
  /** The supervisor's own. */
  readonly here: string;
  /** The supervisor's own, and what --env-file adds to it. */
  readonly environment: NodeJS.ProcessEnv;
  readonly file: FileOptions | undefined;
  /** What the file has that is no row of the table. */
  readonly headers: HeaderPolicyOptions | undefined;
}

/** Reads what `choir start` gets its options from; throws ERR_CHOIR_CONFIG for a file that cannot be read. */
export function readSources(args: readonly string[]): Sources {
  const line = parseArguments(args, START_GRAMMAR);
  const own = processEnvironment();
  const here = programArguments().cwd;
  if (line.kind === "help") return { cwd: here, here, environment: own, file: undefined, headers: undefined };
  const early = (name: AnyOptionName): string | undefined => {
    const flag = line.flags.get(name);
    return flag === undefined ? environmentText(name, own)?.text : String(flag);
  };
  const cwd = path.resolve(here, early("cwd") ?? ".");
  const file = readConfigFile(early("config"), cwd);
  const inFile = checkFile(START_GRAMMAR.names, file);
  const envFiles = line.flags.get("envFile") ?? early("envFile")?.split(",") ?? inFile.get("envFile")?.value;
  const cwdInFile = inFile.get("cwd")?.value;
  return {
    here,
    cwd: early("cwd") === undefined && typeof cwdInFile === "string" ? path.resolve(cwd, cwdInFile) : cwd,
    environment: { ...environmentOf(Array.isArray(envFiles) ? envFiles : [], here), ...own },
    file,
    headers: checkedHeaders(file),
  };
}

/** Reads the configuration file of a Runner program, which its command line, the environment or its code may name. */
export function readRunnerFile(args: readonly string[], code: TableOptions): FileOptions | undefined {
  const line = parseArguments(args);
  if (line.kind === "help") return undefined;
  const given = line.flags.get("config") ?? environmentText("config", processEnvironment())?.text ?? code.config;
  return readConfigFile(given === undefined ? undefined : String(given), programArguments().cwd);
}

/** The header policy that a configuration file holds, compiled for its errors only: instances compile it again. */
export function checkedHeaders(file: FileOptions | undefined): HeaderPolicyOptions | undefined {
  const headers = headersOf(file);
  compileHeaderPolicy(headers);
  return headers;
}

/** The header policy that a configuration file holds. */
function headersOf(file: FileOptions | undefined): HeaderPolicyOptions | undefined {
  const { responseHeaders, removeResponseHeaders } = (file?.content ?? {}) as HeaderPolicyOptions;
  if (responseHeaders === undefined && removeResponseHeaders === undefined) return undefined;
  return { ...(responseHeaders && { responseHeaders }), ...(removeResponseHeaders && { removeResponseHeaders }) };
}

function environmentOf(files: readonly string[], here: string): NodeJS.ProcessEnv {
  // Not from --cwd: node itself looks for --env-file among the arguments of any program, and would not find it there.
  // The last of several files wins, as in node.
  return Object.assign(
    {},
    ...files.map((file) => readEnvironment(path.resolve(here, file), file)),
  ) as NodeJS.ProcessEnv;
}

function readEnvironment(file: string, given: string): NodeJS.Dict<string> {
  try {
    return parseEnv(readFileSync(file, "utf8"));
  } catch (error) {
    throw configError(`--env-file ${quote(given)} cannot be read: ${describeThrown(error)}`, { cause: error });
  }
}
