/**
 * The one reader of `process.env` and `process.argv`: options from the environment, the program to run again, and the
 * variables an instance is born with. Used in both processes.
 */
import { realpathSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { debuglog } from "node:util";
import { BIRTH_VARIABLE, INSPECT_PORT_FLAG, type InstanceBirth } from "../protocol.ts";
import { type AnyOptionName, OPTION_NAMES, specOf, START_OPTION_NAMES, variableOf } from "./table.ts";

/** An option's text in the environment, and the variable it stands in. */
export interface EnvironmentText {
  readonly variable: string;
  readonly text: string;
}

/** How node was started: what an instance is started with again. */
export interface ProgramArguments {
  readonly execPath: string;
  readonly execArgv: readonly string[];
  /** The file that node runs; undefined for `node -e` and the REPL. */
  readonly entry: string | undefined;
  /** The working directory, with symbolic links as the shell shows them. */
  readonly cwd: string;
  /** What followed the file. */
  readonly args: readonly string[];
}

/** Finds an option in the environment: `CHOIR_PORT` wins over `PORT`, and an empty value counts as unset. */
export function environmentText(name: AnyOptionName, environment: NodeJS.ProcessEnv): EnvironmentText | undefined {
  for (const variable of variablesOf(name)) {
    const text = environment[variable];
    if (text !== undefined && text !== "") return { variable, text };
  }
  return undefined;
}

/** The environment names of an option, the one that wins first. */
export function variablesOf(name: AnyOptionName): readonly string[] {
  const { env } = specOf(name);
  return env === undefined ? [variableOf(name)] : [variableOf(name), env];
}

/** The supervisor's own environment, for `resolveOptions`. */
export function processEnvironment(): NodeJS.ProcessEnv {
  return process.env;
}

/** In the supervisor: deletes the passwords, so that neither its user code nor what it starts finds them in the environment. */
export function forgetSecrets(environment: NodeJS.ProcessEnv = process.env): void {
  for (const name of OPTION_NAMES) {
    if (specOf(name).secret !== true) continue;
    for (const variable of variablesOf(name)) delete environment[variable];
  }
}

/** How this process was started. */
export function programArguments(): ProgramArguments {
  const [, entry, ...args] = process.argv;
  const cwd = workingDirectory();
  const { execPath, execArgv } = process;
  if (entry === undefined) return { execPath, execArgv, entry, cwd, args };
  // Node has resolved a relative file by the real directory; with the one that the shell shows, a moved link is followed.
  const relative = path.relative(process.cwd(), path.resolve(entry));
  const isBelow = !relative.startsWith("..") && !path.isAbsolute(relative);
  return { execPath, execArgv, entry: isBelow ? path.join(cwd, relative) : path.resolve(entry), cwd, args };
}

/** The working directory as the shell names it, with its symbolic links, where that is the same directory. */
function workingDirectory(): string {
  const shown = process.env["PWD"];
  const real = process.cwd();
  try {
    return shown !== undefined && path.isAbsolute(shown) && realpathSync(shown) === real ? shown : real;
  } catch {
    return real;
  }
}

/**
 * In an instance: reads what it was born with and deletes it, so that no process the app starts takes itself for an instance.
 * Undefined in any other process, and for a value that Choir did not write.
 */
export function takeBirth(environment: NodeJS.ProcessEnv = process.env): InstanceBirth | undefined {
  const text = environment[BIRTH_VARIABLE];
  delete environment[BIRTH_VARIABLE];
  if (text === undefined) return undefined;
  try {
    const birth: unknown = JSON.parse(text);
    return isBirth(birth) ? birth : undefined;
  } catch {
    return undefined;
  }
}

/**
 * In the supervisor: the whole environment of a new instance. Choir's option variables are left out: they were read here, and
 * a Runner that the app starts would take the same port by them. HOST, PORT and WEB_CONCURRENCY stay, since apps read them.
 */
export function instanceEnvironment(
  birth: InstanceBirth,
  environment: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv {
  const own = new Set([...OPTION_NAMES, ...START_OPTION_NAMES].map(variableOf));
  const inherited = Object.entries(environment).filter(([variable]) => !own.has(variable));
  return {
    ...Object.fromEntries(inherited),
    NODE_ENV: environment["NODE_ENV"] || "production",
    NODE_APP_INSTANCE: String(birth.info.id),
    [BIRTH_VARIABLE]: JSON.stringify(birth),
  };
}

/** Tells Choir's own value from anything else that may stand in the variable; its writer is `instanceEnvironment`. */
function isBirth(value: unknown): value is InstanceBirth {
  return (
    hasTypes(value, { info: "object", options: "object", listeners: "object", pubSubFd: "number" }) &&
    hasTypes(value["info"], {
      id: "number",
      uid: "string",
      generation: "number",
      name: "string",
      startedAt: "string",
    }) &&
    hasTypes(value["info"], { concurrency: "number", restarts: "number" }) &&
    hasTypes(value["options"], {
      ready: "string",
      shutdownTimeout: "number",
      idleGrace: "number",
      useZone: "boolean",
      trustRequestId: "boolean",
      uncaught: "string",
      backlog: "number",
      heartbeatInterval: "number",
      ssl: "boolean",
      http2: "boolean",
      keepAliveTimeout: "number",
      requestTimeout: "number",
      headersTimeout: "number",
      maxRequestsPerSocket: "number",
    }) &&
    Array.isArray(value["listeners"]) &&
    value["listeners"].every((listener) => hasTypes(listener, { fd: "number", address: "string" }))
  );
}

function hasTypes(value: unknown, types: Record<string, string>): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  return Object.entries(types).every(([field, type]) => typeof fields.get(field) === type);
}

/** In an instance: takes Choir's own flags out of those that a process forked by the app would inherit. */
export function forgetPreload(url: string): void {
  const port = process.execArgv.indexOf(INSPECT_PORT_FLAG);
  if (port >= 0) process.execArgv.splice(port, 1);
  const at = process.execArgv.findIndex(
    (flag, index) => flag === "--import" && isFile(process.execArgv[index + 1], url),
  );
  if (at >= 0) process.execArgv.splice(at, 2);
}

function isFile(flag: string | undefined, url: string): boolean {
  return flag !== undefined && (flag === url || flag === fileURLToPath(url));
}

/** Whether `NODE_DEBUG=choir` asks for stacks. */
export function isDebugging(): boolean {
  return debuglog("choir").enabled;
}

/** The value of one of Node's own flags, from its command line or NODE_OPTIONS, with dashes or underscores as V8 allows. */
export function nodeFlag(name: string, environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const words = [...(environment["NODE_OPTIONS"] ?? "").split(/\s+/), ...process.execArgv];
  for (let at = words.length - 1; at >= 0; at -= 1) {
    const [flag = "", value] = (words[at] ?? "").split("=");
    // Whatever comes last holds; the command line comes after NODE_OPTIONS.
    if (flag.replaceAll("_", "-") === `--${name}`) return value ?? words[at + 1];
  }
  return undefined;
}
