/**
 * A Runner program in the supervisor's process: from the command line to an exit code. What ends it is said on stderr, once.
 */
import { closeSync, openSync } from "node:fs";
import path from "node:path";
import { ChoirError, EXIT, type ExitCode } from "../errors.ts";
import { compileHeaderPolicy } from "../http/headers.ts";
import { checkConfigureServer } from "../instance/app.ts";
import { forgetSecrets, processEnvironment, programArguments } from "../options/environment.ts";
import { dashboardSource } from "../options/dashboard-source.ts";
import { engineSource } from "../options/engine-source.ts";
import { banner, renderHelp } from "../options/help.ts";
import { resolveOptions } from "../options/resolve.ts";
import { takeServiceManager } from "../options/service-manager.ts";
import { tlsSources, withoutSecrets } from "../options/tls-sources.ts";
import { declarationOf, EXTRA_NAMES, type RunnerOptions, splitOptions } from "../runner-options.ts";
import { resolveIdentity } from "../supervisor/identity.ts";
import type { Program } from "../supervisor/launcher.ts";
import type { StrayErrors } from "../stray-errors.ts";
import { runSupervisor, type SupervisorSetup } from "../supervisor/main.ts";
import { openLogs } from "./open-logs.ts";
import { becomeInit } from "./init.ts";
import { reportFatal } from "./output.ts";
import { checkedHeaders, readRunnerFile } from "./sources.ts";
import { version } from "./version.ts";

export interface RunnerProgram {
  readonly name: string;
  readonly configureServer: unknown;
  readonly options: RunnerOptions;
  /** The command line, without node and the file. */
  readonly args: readonly string[];
  readonly strayErrors: StrayErrors;
}

/** Runs a Runner program until all its instances are gone; the exit code is what the process ends with. */
export async function supervise(program: RunnerProgram): Promise<ExitCode> {
  try {
    return await run(program);
  } catch (error) {
    return reportFatal(error, program.name);
  }
}

async function run({ name, configureServer, options: given, args, strayErrors }: RunnerProgram): Promise<ExitCode> {
  const { table, extras } = splitOptions(given);
  const file = readRunnerFile(args, table);
  const resolution = resolveOptions({
    args,
    environment: processEnvironment(),
    code: table,
    otherNames: EXTRA_NAMES,
    file,
  });
  if (resolution.kind === "help") {
    process.stdout.write(
      renderHelp({ name, program: programName(), columns: process.stdout.columns, defaults: table }),
    );
    return EXIT.ok;
  }
  checkConfigureServer(configureServer);
  // Compiled for its errors only: a header that HTTP does not allow must not cost N failed starts.
  compileHeaderPolicy(extras);
  return superviseResolved({
    name,
    program: programOf(resolution.rest),
    options: resolution.options,
    origins: resolution.origins,
    declared: declarationOf(name, given),
    headers: checkedHeaders(file),
    strayErrors,
  });
}

/** What is decided when a supervisor is to run, whatever it runs. */
export type Supervised = Omit<
  SupervisorSetup,
  "version" | "identity" | "tls" | "engine" | "dashboard" | "serviceManager" | "logs" | "hasTerminal"
>;

/** Runs a supervisor to its end, with its logs; what is decided about the program comes from the caller. */
export async function superviseResolved(supervised: Supervised): Promise<ExitCode> {
  // Before anything is opened: it would be lost.
  const initObstacle = becomeInit();
  const { name, origins } = supervised;
  const context = { name, origins, environment: processEnvironment() };
  const tls = tlsSources(supervised.options, context);
  const engine = engineSource(supervised.options, context);
  const dashboard = dashboardSource(supervised.options, context);
  // From here on only these three have passwords: what is not there cannot be shown.
  forgetSecrets();
  const options = withoutSecrets(supervised.options);
  const logs = await openLogs(name, options);
  if (process.stdout.isTTY && !options.quiet) process.stdout.write(banner());
  if (initObstacle !== undefined) logs.event({ event: "no-init", why: initObstacle });
  const outcome = await runSupervisor({
    ...supervised,
    version: version(),
    options,
    tls,
    identity: resolveIdentity(options),
    engine,
    dashboard,
    serviceManager: takeServiceManager(),
    logs,
    hasTerminal: hasControllingTerminal(),
  });
  // A process that the app left behind may hold a pipe for ever.
  await logs.settle(LAST_LINES_MS);
  await logs.close();
  return outcome.error === undefined ? outcome.code : reportFatal(outcome.error, name);
}

/** How long the last lines of instances that have ended may take to arrive, in milliseconds. */
const LAST_LINES_MS = 2000;

function programName(): string {
  const { entry } = programArguments();
  return entry === undefined ? "node" : `node ${path.relative(process.cwd(), entry)}`;
}

function programOf(rest: readonly string[]): Program {
  const { execPath, execArgv, entry, cwd } = programArguments();
  if (entry === undefined) {
    throw new ChoirError(
      "ERR_CHOIR_RUNNER",
      "The Runner has no file to run again in its instances: node was started without one",
      {
        hint: "Put it into a file and start that: node main.js",
      },
    );
  }
  return { execPath, execArgv, entry, cwd, args: rest };
}

/** Whether SIGHUP means that the terminal was closed: only a process with a controlling terminal can open /dev/tty. */
function hasControllingTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}
