/** `choir start`: from its command line to an exit code, with the file that it names never loaded here. Runs in the supervisor. */
import { statSync } from "node:fs";
import path from "node:path";
import { ChoirError, EXIT, type ExitCode, quote } from "../errors.ts";
import { programArguments } from "../options/environment.ts";
import { renderHelp } from "../options/help.ts";
import type { Origin } from "../options/origin.ts";
import { resolveStartOptions, type StartResolution } from "../options/resolve.ts";
import type { AnyOptionName, ResolvedOptions, StartOptions } from "../options/table.ts";
import { StrayErrors } from "../stray-errors.ts";
import type { Program } from "../supervisor/launcher.ts";
import { assumeRole } from "../instance/role.ts";
import { checkEngine, findModule, nameOf, splitFlags, typeScriptFlags } from "./module-file.ts";
import { reportFatal } from "./output.ts";
import { readSources, type Sources } from "./sources.ts";
import { superviseResolved, type Supervised } from "./supervise.ts";

/** Runs `choir start` until all instances are gone; resolved with the exit code. */
export async function start(args: readonly string[]): Promise<ExitCode> {
  assumeRole({ kind: "supervisor" });
  const strayErrors = new StrayErrors();
  let name = "choir start";
  try {
    const plan = await planOf(args);
    if (plan.kind === "help") return printHelp("choir start");
    ({ name } = plan);
    return await superviseResolved(supervisedOf(plan, strayErrors));
  } catch (error) {
    return reportFatal(error, name);
  }
}

/** Prints the help of `choir start` or `choir check`. */
export function printHelp(program: string): ExitCode {
  process.stdout.write(renderHelp({ name: "an app", program, columns: process.stdout.columns, forModule: true }));
  return EXIT.ok;
}

/** What is to be run, and how. */
export interface Plan {
  readonly kind: "run";
  readonly name: string;
  readonly program: Program;
  readonly options: ResolvedOptions;
  readonly start: StartOptions;
  readonly origins: Readonly<Record<AnyOptionName, Origin>>;
  readonly headers: Supervised["headers"];
  readonly watched: Supervised["watched"];
}

/** Reads the command line, the environment and the files they name; throws a ChoirError for the first that is wrong. */
export async function planOf(args: readonly string[]): Promise<Plan | { readonly kind: "help" }> {
  const sources = readSources(args);
  const resolution = resolveStartOptions({ args, environment: sources.environment, code: {}, file: sources.file });
  if (resolution.kind === "help") return resolution;
  const { start, origins } = resolution;
  const options = start.watch ? optionsForWatch(resolution) : resolution.options;
  const entry = findModule(start.module, sources.cwd);
  await checkEngine(entry);
  return {
    kind: "run",
    name: start.name === undefined ? nameOf(entry) : checkName(start.name),
    program: programOf(entry, sources, resolution),
    options,
    start,
    origins,
    headers: sources.headers,
    watched: start.watch ? (start.envFile ?? []).map((file) => path.resolve(sources.here, file)) : undefined,
  };
}

/** The supervisor's part of a plan. */
export function supervisedOf(plan: Plan, strayErrors: StrayErrors): Supervised {
  const { name, program, options, origins, headers, watched } = plan;
  return {
    name,
    program,
    options,
    origins,
    declared: { name, options: {} },
    listening: {
      addressGiven: origins.address.from !== "default",
      isPrivate: false,
    },
    headers,
    watched,
    strayErrors,
  };
}

/** One instance, replaced as soon as the next is ready, and no connection that stays with the old code. */
function optionsForWatch({ options, origins }: Resolved): ResolvedOptions {
  const defaults = { concurrency: 1, canaryTime: 0, keepAliveTimeout: WATCH_KEEP_ALIVE_MS, closeSpread: 0 } as const;
  const names = Object.keys(defaults) as (keyof typeof defaults)[];
  const changed = names.filter((name) => origins[name].from === "default").map((name) => [name, defaults[name]]);
  return { ...options, ...(Object.fromEntries(changed) as Partial<ResolvedOptions>) };
}

/** How long a browser's connection may idle with --watch: its next request is to meet the new code. In milliseconds. */
const WATCH_KEEP_ALIVE_MS = 100;

type Resolved = Extract<StartResolution, { kind: "run" }>;

function programOf(
  entry: string,
  { cwd, here, environment }: Sources,
  { start, options, origins, rest }: Resolved,
): Program {
  if (!statSync(cwd, { throwIfNoEntry: false })?.isDirectory()) {
    throw new ChoirError("ERR_CHOIR_MODULE", `--cwd ${quote(cwd)} is no directory`);
  }
  const { execPath, execArgv } = programArguments();
  const given = [
    ...execArgv,
    ...splitFlags(start.nodeOptions ?? ""),
    ...(start.envFile ?? []).map((file) => `--env-file=${path.resolve(here, file)}`),
    ...(start.import ?? []).flatMap((module) => ["--import", module]),
  ];
  const features = (process.features as { typescript?: string | false }).typescript;
  return {
    execPath,
    execArgv: [...given, ...typeScriptFlags(entry, { given, features })],
    entry,
    cwd,
    args: rest,
    environment: { ...environmentOf(options, origins), ...(start.watch && watchEnvironment(environment)) },
    module: {
      serve: start.serve,
      mayDecideReady: origins.ready.from === "default",
      isPrivate: false,
      isWatched: start.watch,
    },
  };
}

/** What apps read where to listen from: as it was given, and nothing where it was not. */
function environmentOf({ address, port }: ResolvedOptions, origins: Resolved["origins"]): Record<string, string> {
  const host = address.find((one) => !one.startsWith("unix:"));
  return {
    ...(origins.port.from !== "default" && { PORT: String(port) }),
    ...(origins.address.from !== "default" && host !== undefined && { HOST: host }),
  };
}

/** Node reports what it loads to a parent that sets this, as its own --watch does. */
function watchEnvironment({ NODE_ENV = "" }: NodeJS.ProcessEnv): Record<string, string> {
  return { WATCH_REPORT_DEPENDENCIES: "1", ...(NODE_ENV === "" && { NODE_ENV: "development" }) };
}

function checkName(name: string): string {
  if (/^[\w.@-]{1,64}$/.test(name)) return name;
  throw new ChoirError(
    "ERR_CHOIR_OPTION",
    `--name must be 1 to 64 letters, digits, "_", ".", "@" or "-", got ${quote(name)}`,
  );
}
