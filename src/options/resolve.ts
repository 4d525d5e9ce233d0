/**
 * Every option's one value, from the command line, the environment, the Runner's options and the defaults, in this order.
 * Pure. Used in the supervisor only.
 *
 * A flag or a Runner option with a wrong value is always refused, also an overridden one; an environment value only where it
 * wins, since platforms set PORT and HOST for others too.
 */
import { quote } from "../errors.ts";
import { parseArguments } from "./argv.ts";
import { environmentText } from "./environment.ts";
import { nearestName } from "./nearest.ts";
import { optionError, type Origin, wrongValue } from "./origin.ts";
import {
  flagOf,
  OPTION_NAMES,
  type OptionName,
  type OptionValue,
  type ResolvedOptions,
  specOf,
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
}

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

interface Found {
  readonly value: OptionValue;
  readonly origin: Origin;
}

/** Resolves every option, or throws ERR_CHOIR_OPTION with the first that is wrong. */
export function resolveOptions(input: ResolveInput): Resolution {
  const line = parseArguments(input.args);
  if (line.kind === "help") return line;
  const code = checkCode(input.code, input.otherNames ?? []);
  const values: Partial<Record<OptionName, OptionValue>> = {};
  const origins: Partial<Record<OptionName, Origin>> = {};
  for (const name of OPTION_NAMES) {
    const { value, origin } =
      found(line.flags.get(name), { from: "flag", name: flagOf(name) }) ??
      fromEnvironment(name, input.environment) ??
      found(code.get(name), { from: "code" }) ??
      fromDefault(name);
    // The same address twice would find itself in use.
    values[name] = Array.isArray(value) ? [...new Set(value)] : value;
    origins[name] = origin;
  }
  // Complete, and each value of its row's type: the loop went over every row, and each source has checked its kind.
  return {
    kind: "run",
    options: values as ResolvedOptions,
    origins: origins as Record<OptionName, Origin>,
    rest: line.rest,
  };
}

/** Checks the options that were given in code; `undefined` counts as not given. */
function checkCode(code: TableOptions, otherNames: readonly string[]): ReadonlyMap<OptionName, OptionValue> {
  const checked = new Map<OptionName, OptionValue>();
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

function fromEnvironment(name: OptionName, environment: NodeJS.ProcessEnv): Found | undefined {
  const given = environmentText(name, environment);
  if (given === undefined) return undefined;
  const origin: Origin = { from: "environment", name: given.variable };
  const result = parseText(specOf(name), given.text);
  if ("value" in result) return { value: result.value, origin };
  throw wrongValue(name, quote(given.text), { problem: result, origin });
}

function fromDefault(name: OptionName): Found {
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
