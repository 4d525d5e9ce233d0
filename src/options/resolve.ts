/**
 * Every option's one value, from the command line, the environment, the configuration file, the Runner's options and the defaults,
 * in this order.
 * Pure. Used in the supervisor only.
 *
 * A flag, an option in the file or one of the Runner's with a wrong value is always refused, also an overridden one; an environment value only where it
 * wins, since platforms set PORT and HOST for others too.
 */
import { quote } from "../errors.ts";
import { type Grammar, parseArguments } from "./argv.ts";
import { checkFile, type FileOptions, type Found } from "./config-options.ts";
import { environmentText } from "./environment.ts";
import { nearestName } from "./nearest.ts";
import { optionError, type Origin, wrongValue } from "./origin.ts";
import {
  type AnyOptionName,
  flagOf,
  OPTION_NAMES,
  type OptionName,
  type OptionValue,
  type ResolvedOptions,
  specOf,
  START_OPTION_NAMES,
  type StartOptions,
  type TableOptions,
} from "./table.ts";
import { checkValue, parseText, quoteCode } from "./values.ts";

export interface ResolveInput {
  /** The command line, without node and the file. */
  readonly args: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  /** The table's options as the Runner got them. */
  readonly code: TableOptions;
  /** What else a Runner takes, to name the nearest of all for an unknown one. */
  readonly otherNames?: readonly string[];
  /** What the configuration file holds, if there is one. */
  readonly file?: FileOptions | undefined;
}

/** The command line of `choir start` and `choir check`: the operand is the file to run. */
export const START_GRAMMAR: Grammar = { names: [...START_OPTION_NAMES, ...OPTION_NAMES], mostOperands: 1 };

/** What `choir start` resolves: everything, and how to start node. */
export type StartResolution =
  | { readonly kind: "help" }
  | {
      readonly kind: "run";
      readonly options: ResolvedOptions;
      readonly start: StartOptions;
      readonly origins: Readonly<Record<AnyOptionName, Origin>>;
      readonly rest: readonly string[];
    };

/** What is to be done: print the help, or run. */
export type Resolution =
  | { readonly kind: "help" }
  | {
      readonly kind: "run";
      readonly options: ResolvedOptions;
      readonly origins: Readonly<Record<OptionName, Origin>>;
      /** What followed `--`: the app's own arguments. */
      readonly rest: readonly string[];
    };

/** Resolves every option of a Runner program, or throws ERR_CHOIR_OPTION with the first that is wrong. */
export function resolveOptions(input: ResolveInput): Resolution {
  const line = parseArguments(input.args);
  if (line.kind === "help") return line;
  const { values, origins } = resolveNames(OPTION_NAMES, line.flags, input);
  // Complete, and each value of its row's type: the loop went over every row, and each source has checked its kind.
  return {
    kind: "run",
    options: values as ResolvedOptions,
    origins: origins as Record<OptionName, Origin>,
    rest: line.rest,
  };
}

/** Resolves every option of `choir start`, likewise. */
export function resolveStartOptions(input: ResolveInput): StartResolution {
  const line = parseArguments(input.args, START_GRAMMAR);
  if (line.kind === "help") return line;
  const [operand] = line.operands;
  if (operand !== undefined && line.flags.has("module")) {
    throw optionError(`Unexpected argument ${quote(operand)}: --module names the file already`);
  }
  const flags = operand === undefined ? line.flags : new Map(line.flags).set("module", operand);
  const { values, origins } = resolveNames(START_GRAMMAR.names, flags, input);
  const pick = (names: readonly AnyOptionName[]) => Object.fromEntries(names.map((name) => [name, values[name]]));
  return {
    kind: "run",
    options: pick(OPTION_NAMES) as ResolvedOptions,
    start: pick(START_OPTION_NAMES) as StartOptions,
    origins: origins as Record<AnyOptionName, Origin>,
    rest: line.rest,
  };
}

interface Values {
  readonly values: Readonly<Partial<Record<AnyOptionName, OptionValue>>>;
  readonly origins: Readonly<Partial<Record<AnyOptionName, Origin>>>;
}

function resolveNames(
  names: readonly AnyOptionName[],
  flags: ReadonlyMap<AnyOptionName, OptionValue>,
  input: ResolveInput,
): Values {
  const code = checkCode(input.code, input.otherNames ?? []);
  const file = checkFile(names, input.file);
  const values: Partial<Record<AnyOptionName, OptionValue>> = {};
  const origins: Partial<Record<AnyOptionName, Origin>> = {};
  for (const name of names) {
    const { value, origin } =
      found(flags.get(name), { from: "flag", name: flagOf(name) }) ??
      fromEnvironment(name, input.environment) ??
      file.get(name) ??
      found(code.get(name), { from: "code" }) ??
      fromDefault(name);
    // The same address twice would find itself in use.
    values[name] = Array.isArray(value) ? [...new Set(value)] : value;
    origins[name] = origin;
  }
  return { values, origins };
}

/** Checks the options that were given in code; `undefined` counts as not given. */
function checkCode(code: TableOptions, otherNames: readonly string[]): ReadonlyMap<AnyOptionName, OptionValue> {
  const checked = new Map<AnyOptionName, OptionValue>();
  for (const [name, value] of Object.entries(code)) {
    if (!isOptionName(name)) throw unknownName(name, otherNames);
    if (value === undefined) continue;
    const result = checkValue(specOf(name), value);
    if (!("value" in result)) {
      throw wrongValue(name, quoteCode(value), { problem: result, origin: { from: "code" } });
    }
    checked.set(name, result.value);
  }
  return checked;
}

function fromEnvironment(name: AnyOptionName, environment: NodeJS.ProcessEnv): Found | undefined {
  const given = environmentText(name, environment);
  if (given === undefined) return undefined;
  const origin: Origin = { from: "environment", name: given.variable };
  const result = parseText(specOf(name), given.text);
  if ("value" in result) return { value: result.value, origin };
  throw wrongValue(name, quote(given.text), { problem: result, origin });
}

function fromDefault(name: AnyOptionName): Found {
  // A row without a default has undefined as its type says: see ValueOf.
  return { value: specOf(name).default as OptionValue, origin: { from: "default" } };
}

function found(value: OptionValue | undefined, origin: Origin): Found | undefined {
  return value === undefined ? undefined : { value, origin };
}

function isOptionName(name: string): name is OptionName {
  return OPTION_NAMES.some((known) => known === name);
}

function unknownName(name: string, otherNames: readonly string[]) {
  const nearest = nearestName(name, [...OPTION_NAMES, ...otherNames]);
  const advice = nearest === undefined ? "; --help lists all options" : `, did you mean ${nearest}?`;
  return optionError(`Unknown option ${quote(name)} in the Runner's options${advice}`);
}
