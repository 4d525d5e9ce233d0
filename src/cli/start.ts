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
}

/** Reads the command line, the environment and the files they name; throws a ChoirError for the first that is wrong. */
export async function planOf(args: readonly string[]): Promise<Plan | { readonly kind: "help" }> {
  const sources = readSources(args);
  const resolution = resolveStartOptions({ args, environment: sources.environment, code: {}, file: sources.file });
  if (resolution.kind === "help") return resolution;
  const { start, origins } = resolution;
  const entry = findModule(start.module, sources.cwd);
  await checkEngine(entry);
  return {
    kind: "run",
    name: start.name === undefined ? nameOf(entry) : checkName(start.name),
    program: programOf(entry, sources, resolution),
    options: resolution.options,
    start,
    origins,
    headers: sources.headers,
  };
}

/** The supervisor's part of a plan. */
export function supervisedOf(plan: Plan, strayErrors: StrayErrors): Supervised {
  const { name, program, options, origins, headers } = plan;
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
    strayErrors,
  };
}

type Resolved = Extract<StartResolution, { kind: "run" }>;

function programOf(entry: string, { cwd, here }: Sources, { start, options, origins, rest }: Resolved): Program {
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
    environment: environmentOf(options, origins),
    module: { serve: start.serve, mayDecideReady: origins.ready.from === "default", isPrivate: false },
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

function checkName(name: string): string {
  if (/^[\w.@-]{1,64}$/.test(name)) return name;
  throw new ChoirError(
    "ERR_CHOIR_OPTION",
    `--name must be 1 to 64 letters, digits, "_", ".", "@" or "-", got ${quote(name)}`,
  );
}
