/** `choir check`: boots one instance privately and says with which options: for CI, and before a deploy. */
import { ChoirError, describeThrown, EXIT, type ExitCode } from "../errors.ts";
import { assumeRole } from "../instance/role.ts";
import { forgetSecrets, processEnvironment } from "../options/environment.ts";
import { describeOrigin } from "../options/origin.ts";
import { START_GRAMMAR } from "../options/resolve.ts";
import { flagOf, type OptionValue, specOf } from "../options/table.ts";
import { tlsSources, withoutSecrets } from "../options/tls-sources.ts";
import { formatValue } from "../options/values.ts";
import { StrayErrors } from "../stray-errors.ts";
import { type Boot, bootOnce } from "../supervisor/boot-once.ts";
import { resolveIdentity } from "../supervisor/identity.ts";
import { causeOf } from "../supervisor/start-failures.ts";
import { openLogs } from "./open-logs.ts";
import { print, printJson, reportFatal } from "./output.ts";
import { type Plan, planOf, printHelp, supervisedOf } from "./start.ts";
import { textTable } from "./text-table.ts";
import { version } from "./version.ts";

/** An option, as it is printed. */
interface ShownOption {
  readonly option: string;
  readonly value: string | null;
  readonly origin: string;
}

/** Exit codes of an app that ends as it was asked to: 0, and what its own handlers of SIGINT and SIGTERM may take from the shell. */
const WELL: ReadonlySet<number | null> = new Set([0, 130, 143]);
/** How long the last lines of the instance may take to arrive, in milliseconds. */
const LAST_LINES_MS = 2000;

/** Runs `choir check`; resolved with 0, with 64 for a wrong command line, or with 78 for anything else that is wrong. */
export async function check(args: readonly string[]): Promise<ExitCode> {
  assumeRole({ kind: "supervisor" });
  const end = args.includes("--") ? args.indexOf("--") : args.length;
  const asJson = args.slice(0, end).includes("--json");
  let options: readonly ShownOption[] = [];
  try {
    const plan = await planOf(args.filter((arg, at) => at >= end || arg !== "--json"));
    if (plan.kind === "help") return printHelp("choir check");
    options = shownOptions(plan);
    if (!asJson) print(`${optionTable(options)}\n`);
    const boot = await bootPrivately(plan, asJson);
    const failure = failureOf(boot);
    if (asJson)
      printJson({ ok: failure === undefined, readyMs: boot.readyMs, error: failure?.message ?? null, options });
    else if (failure === undefined) print(`${plan.name} is ready after ${boot.readyMs} ms${readinessOf(plan)}\n`);
    if (failure === undefined) return EXIT.ok;
    return asJson ? EXIT.config : configFailure(failure, plan.name);
  } catch (error) {
    if (asJson) printJson({ ok: false, readyMs: null, error: describeThrown(error), options });
    return configFailure(error, "choir check");
  }
}

function optionTable(options: readonly ShownOption[]): string {
  const columns = [{ title: "OPTION" }, { title: "VALUE" }, { title: "FROM" }];
  return textTable(
    columns,
    options.map(({ option, value, origin }) => [option, value ?? "", origin]),
  );
}

/** Whatever is wrong with the app or its surroundings is one code here: who checks wants to know whether to go on. */
function configFailure(error: unknown, name: string): ExitCode {
  const code = reportFatal(error, name);
  return code === EXIT.usage ? code : EXIT.config;
}

async function bootPrivately(plan: Plan, quiet: boolean): Promise<Boot> {
  const supervised = supervisedOf(plan, new StrayErrors());
  const context = { name: plan.name, origins: plan.origins, environment: processEnvironment() };
  const tls = tlsSources(plan.options, context);
  forgetSecrets();
  const options = { ...withoutSecrets(plan.options), quiet: quiet || plan.options.quiet, concurrency: 1 };
  const logs = await openLogs(plan.name, options);
  const { module } = plan.program;
  const boot = await bootOnce({
    ...supervised,
    program: { ...plan.program, ...(module !== undefined && { module: { ...module, isPrivate: true } }) },
    listening: { addressGiven: false, isPrivate: true },
    version: version(),
    options,
    tls,
    // As in service, where that can be: code that is meant for another user must not run as root. Who is not root checks as himself.
    identity: process.getuid?.() === 0 ? resolveIdentity(options) : undefined,
    engine: undefined,
    dashboard: undefined,
    serviceManager: { sockets: [], notify: undefined },
    logs,
    hasTerminal: false,
  });
  await logs.settle(LAST_LINES_MS);
  await logs.close();
  return boot;
}

function failureOf({ readyMs, exit }: Boot): ChoirError | undefined {
  if (readyMs === null) {
    const { message, hint } = causeOf(exit);
    return new ChoirError("ERR_CHOIR_MODULE", message, { hint });
  }
  if (exit.reason === "asked" && WELL.has(exit.code)) return undefined;
  const how = exit.signal === null ? `with exit code ${exit.code}` : `by ${exit.signal}`;
  return new ChoirError("ERR_CHOIR_MODULE", `The app was ready, but did not end well: ${how} (${exit.reason})`);
}

function readinessOf({ options }: Plan): string {
  return options.readinessPath === undefined ? "" : `, and ${options.readinessPath} answers`;
}

function shownOptions({ options, start, origins }: Plan): ShownOption[] {
  const values: Readonly<Record<string, OptionValue | undefined>> = { ...start, ...options };
  return START_GRAMMAR.names.map((name) => {
    const spec = specOf(name);
    const value = values[name];
    const shown = value === undefined ? null : spec.secret === true ? "(not shown)" : formatValue(spec, value);
    return { option: flagOf(name).slice(2), value: shown, origin: describeOrigin(origins[name]) };
  });
}
