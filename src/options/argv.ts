/**
 * The command line: commander, built from the table and silent, with Choir's own messages. Used in the supervisor only; an
 * instance gets its options from the supervisor.
 */
import { Command, CommanderError, Option as Flag } from "commander";
import { quote } from "../errors.ts";
import { nearestName } from "./nearest.ts";
import { optionError, wrongValue } from "./origin.ts";
import { flagOf, OPTION_NAMES, type OptionName, type OptionValue, specOf } from "./table.ts";
import { parseText } from "./values.ts";

/** What a command line says. */
export type CommandLine =
  | { readonly kind: "help" }
  | {
      readonly kind: "run";
      readonly flags: ReadonlyMap<OptionName, OptionValue>;
      /** What followed `--`: the app's own arguments. */
      readonly rest: readonly string[];
    };

/** Reads a command line, without the program's name. Every flag is checked, also one that a later one overrides. */
export function parseArguments(args: readonly string[]): CommandLine {
  const end = args.indexOf("--");
  const own = end === -1 ? [...args] : args.slice(0, end);
  // Before anything else: who asks for help is not to be told off first.
  if (own.some((arg) => arg === "-h" || arg === "--help")) return { kind: "help" };

  const flags = new Map<OptionName, OptionValue>();
  const command = buildCommand(flags);
  const single = own.find(isSingleDashed);
  if (single !== undefined) throw unknownFlag(single);
  const { operands, unknown } = parse(command, own);
  const [stranger] = unknown;
  if (stranger !== undefined) throw unknownFlag(stranger);
  const [operand] = operands;
  if (operand !== undefined) {
    // It may be the second word of a password that was not quoted.
    const isSafe = [...flags.keys()].every((name) => specOf(name).secret !== true);
    throw optionError(`Unexpected argument${isSafe ? ` ${quote(operand)}` : ""}: the app's own arguments follow --`);
  }
  return { kind: "run", flags, rest: end === -1 ? [] : args.slice(end + 1) };
}

/** Builds the parser, whose flags put their checked values into `flags`. */
function buildCommand(flags: Map<OptionName, OptionValue>): Command {
  const command = new Command().helpOption(false).exitOverride();
  command.configureOutput({ writeOut: () => {}, writeErr: () => {} });
  for (const name of OPTION_NAMES) {
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
      const value = readFlag(name, text);
      const before = flags.get(name);
      flags.set(name, Array.isArray(before) && Array.isArray(value) ? [...before, ...value] : value);
    });
  }
  return command;
}

function readFlag(name: OptionName, text: string): OptionValue {
  const spec = specOf(name);
  const flag = flagOf(name);
  // The parser takes the next word whatever it is: `-a --quiet` would listen on a host of that name.
  if (KNOWN_FLAGS.has(text)) throw optionError(`${flag} needs a value, got the option ${text}`);
  const checked = parseText(spec, text);
  if ("value" in checked) return checked.value;
  throw wrongValue(name, quote(text), { problem: checked, origin: { from: "flag", name: flag } });
}

function parse(command: Command, args: string[]): { operands: string[]; unknown: string[] } {
  try {
    return command.parseOptions(args);
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    // The one error that commander itself has here; only the last word can lack its value.
    const last = args.at(-1) ?? "";
    const name = OPTION_NAMES.find((name) => last === `-${specOf(name).short}`);
    throw optionError(`${name === undefined ? last : flagOf(name)} needs a value`);
  }
}

/** Whether an argument is a long flag with one dash, which commander would read as a short one: `-port` as `-p ort`. */
function isSingleDashed(arg: string): boolean {
  return KNOWN_FLAGS.has(`-${arg.split("=")[0]}`);
}

/** Makes the error about an argument that begins with a dash and is no flag as it stands. */
function unknownFlag(arg: string) {
  const [typed = "", ...given] = arg.split("=");
  if (given.length > 0 && KNOWN_FLAGS.has(typed)) return valueForSwitch(typed, given.join("="));
  const positive = typed.replace(/^--no-/, "--");
  if (positive !== typed && KNOWN_FLAGS.has(positive)) {
    return optionError(`Unknown option ${typed}: ${positive} cannot be negated`);
  }
  const nearest = nearestName(typed.replace(/^-(?=[^-])/, "--"), [...KNOWN_FLAGS]);
  return optionError(
    `Unknown option ${typed}${nearest === undefined ? "; --help lists all options" : `, did you mean ${nearest}?`}`,
  );
}

function valueForSwitch(flag: string, value: string) {
  const otherwise = KNOWN_FLAGS.has(negated(flag)) ? negated(flag) : "leave it away";
  return optionError(`${flag} takes no value, got ${quote(value)}: write ${flag} or ${otherwise}`);
}

function negated(flag: string): string {
  return flag.replace("--", "--no-");
}

const KNOWN_FLAGS: ReadonlySet<string> = new Set([
  "--help",
  ...OPTION_NAMES.flatMap((name) => (specOf(name).negatable ? [flagOf(name), negated(flagOf(name))] : [flagOf(name)])),
]);
