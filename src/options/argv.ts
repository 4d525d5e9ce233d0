/**
 * The command line: commander, built from the table and silent, with Choir's own messages. Used in the supervisor only; an
 * instance gets its options from the supervisor.
 */
import { Command, CommanderError, Option as Flag } from "commander";
import { quote } from "../errors.ts";
import { nearestName } from "./nearest.ts";
import { optionError, wrongValue } from "./origin.ts";
import { type AnyOptionName, flagOf, OPTION_NAMES, type OptionValue, specOf } from "./table.ts";
import { parseText } from "./values.ts";

/** What a command line says. */
export type CommandLine =
  | { readonly kind: "help" }
  | {
      readonly kind: "run";
      readonly flags: ReadonlyMap<AnyOptionName, OptionValue>;
      /** What stands for itself: `app.js` in `choir start app.js`. */
      readonly operands: readonly string[];
      /** What followed `--`: the app's own arguments. */
      readonly rest: readonly string[];
    };

/** What a program's command line may have. */
export interface Grammar {
  readonly names: readonly AnyOptionName[];
  /** How many operands there may be. */
  readonly mostOperands: number;
}

/** That of a Runner program. */
const RUNNER_GRAMMAR: Grammar = { names: OPTION_NAMES, mostOperands: 0 };

/** Reads a command line, without the program's name. Every flag is checked, also one that a later one overrides. */
export function parseArguments(args: readonly string[], grammar: Grammar = RUNNER_GRAMMAR): CommandLine {
  const end = args.indexOf("--");
  const own = end === -1 ? [...args] : args.slice(0, end);
  // Before anything else: who asks for help is not to be told off first.
  if (own.some((arg) => arg === "-h" || arg === "--help")) return { kind: "help" };

  const flags = new Map<AnyOptionName, OptionValue>();
  const known = knownFlags(grammar.names);
  const command = buildCommand(flags, grammar.names, known);
  const single = own.find((arg) => isSingleDashed(arg, known));
  if (single !== undefined) throw unknownFlag(single, known);
  const { operands, unknown } = parse(command, own, grammar.names);
  const [stranger] = unknown;
  if (stranger !== undefined) throw unknownFlag(stranger, known);
  const extra = operands[grammar.mostOperands];
  if (extra !== undefined) {
    // It may be the second word of a password that was not quoted.
    const isSafe = [...flags.keys()].every((name) => specOf(name).secret !== true);
    throw optionError(`Unexpected argument${isSafe ? ` ${quote(extra)}` : ""}: the app's own arguments follow --`);
  }
  return { kind: "run", flags, operands, rest: end === -1 ? [] : args.slice(end + 1) };
}

type Flags = ReadonlySet<string>;

/** Builds the parser, whose flags put their checked values into `flags`. */
function buildCommand(flags: Map<AnyOptionName, OptionValue>, names: readonly AnyOptionName[], known: Flags): Command {
  const command = new Command().helpOption(false).exitOverride();
  command.configureOutput({ writeOut: () => {}, writeErr: () => {} });
  for (const name of names) {
    const { kind, short, negatable = false } = specOf(name);
    const long = flagOf(name);
    if (kind === "boolean") {
      command.addOption(new Flag(long)).on(`option:${long.slice(2)}`, () => flags.set(name, true));
      const off = negated(long);
      if (negatable) command.addOption(new Flag(off)).on(`option:${off.slice(2)}`, () => flags.set(name, false));
      continue;
    }
    const flag = new Flag(`${short === undefined ? "" : `-${short}, `}${long} <value>`);
    command.addOption(flag).on(`option:${long.slice(2)}`, (text: string) => {
      const value = readFlag(name, text, known);
      const before = flags.get(name);
      flags.set(name, Array.isArray(before) && Array.isArray(value) ? [...before, ...value] : value);
    });
  }
  return command;
}

function readFlag(name: AnyOptionName, text: string, known: Flags): OptionValue {
  const spec = specOf(name);
  const flag = flagOf(name);
  // The parser takes the next word whatever it is: `-a --quiet` would listen on a host of that name.
  if (known.has(text)) throw optionError(`${flag} needs a value, got the option ${text}`);
  const checked = parseText(spec, text);
  if ("value" in checked) return checked.value;
  throw wrongValue(name, quote(text), { problem: checked, origin: { from: "flag", name: flag } });
}

function parse(
  command: Command,
  args: string[],
  names: readonly AnyOptionName[],
): { operands: string[]; unknown: string[] } {
  try {
    return command.parseOptions(args);
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    // The one error that commander itself has here; only the last word can lack its value.
    const last = args.at(-1) ?? "";
    const name = names.find((name) => last === `-${specOf(name).short}`);
    throw optionError(`${name === undefined ? last : flagOf(name)} needs a value`);
  }
}

/** Whether an argument is a long flag with one dash, which commander would read as a short one: `-port` as `-p ort`. */
function isSingleDashed(arg: string, known: Flags): boolean {
  return known.has(`-${arg.split("=")[0]}`);
}

/** Makes the error about an argument that begins with a dash and is no flag as it stands. */
function unknownFlag(arg: string, known: Flags) {
  const [typed = "", ...given] = arg.split("=");
  if (given.length > 0 && known.has(typed)) return valueForSwitch(typed, given.join("="), known);
  const positive = typed.replace(/^--no-/, "--");
  if (positive !== typed && known.has(positive)) {
    return optionError(`Unknown option ${typed}: ${positive} cannot be negated`);
  }
  const nearest = nearestName(typed.replace(/^-(?=[^-])/, "--"), [...known]);
  return optionError(
    `Unknown option ${typed}${nearest === undefined ? "; --help lists all options" : `, did you mean ${nearest}?`}`,
  );
}

function valueForSwitch(flag: string, value: string, known: Flags) {
  const otherwise = known.has(negated(flag)) ? negated(flag) : "leave it away";
  return optionError(`${flag} takes no value, got ${quote(value)}: write ${flag} or ${otherwise}`);
}

function negated(flag: string): string {
  return flag.replace("--", "--no-");
}

function knownFlags(names: readonly AnyOptionName[]): Flags {
  const flagsOf = (name: AnyOptionName): string[] =>
    specOf(name).negatable ? [flagOf(name), negated(flagOf(name))] : [flagOf(name)];
  return new Set(["--help", ...names.flatMap(flagsOf)]);
}
