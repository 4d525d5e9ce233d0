/**
 * The `choir` command: from its command line to an exit code. It runs an app, or steers running ones through their control sockets;
 * bin/choir.js starts it.
 */
import { Command, CommanderError } from "commander";
import { CONTROL_OFF, pathContext } from "../control/control.ts";
import { EXIT, type ExitCode, quote } from "../errors.ts";
import { environmentText, processEnvironment, programArguments } from "../options/environment.ts";
import { nearestName } from "../options/nearest.ts";
import { optionError } from "../options/origin.ts";
import { commandHelp, overallHelp } from "./command-help.ts";
import type { CommandFlags, CommandSpec, ProgramSpec } from "./commands/command.ts";
import { logs } from "./commands/logs.ts";
import { profile } from "./commands/profile.ts";
import { publish } from "./commands/publish.ts";
import { restart } from "./commands/restart.ts";
import { scale } from "./commands/scale.ts";
import { status } from "./commands/status.ts";
import { stop } from "./commands/stop.ts";
import { subscribe } from "./commands/subscribe.ts";
import { systemd } from "./commands/systemd.ts";
import { top } from "./commands/top.ts";
import { print, reportFatal } from "./output.ts";
import { version } from "./version.ts";

/** Every command, in the order of help. */
export const COMMANDS: readonly CommandSpec[] = [
  status,
  top,
  logs,
  profile,
  restart,
  scale,
  stop,
  publish,
  subscribe,
  systemd,
];

/** The commands that run an app, and take the options of one. Loaded by themselves: a supervisor keeps what it loads. */
const PROGRAMS: readonly ProgramSpec[] = [
  {
    name: "start",
    operands: "<file> [options]",
    summary: "Run an app: what a file exports, or what it listens with",
    run: async (args) => (await import("./start.ts")).start(args),
  },
  {
    name: "check",
    operands: "<file> [options]",
    summary: "Boot an app once, privately, and show every option with its origin; with --json as JSON",
    run: async (args) => (await import("./check.ts")).check(args),
  },
];

function programOf(name: string | undefined): ProgramSpec | undefined {
  return PROGRAMS.find((program) => program.name === name);
}

/** Runs a command line, without node and the file; resolved with the exit code. */
export async function main(args: readonly string[] = programArguments().args): Promise<ExitCode> {
  // A reader that has seen enough, as `head`, is no error.
  process.stdout.on("error", () => {});
  try {
    return await run(args);
  } catch (error) {
    return reportFatal(error, "choir");
  }
}

async function run(args: readonly string[]): Promise<ExitCode> {
  const [first, ...rest] = args;
  const program = programOf(first === "help" ? rest[0] : first);
  if (program !== undefined) return program.run(first === "help" ? ["--help"] : rest);
  const asksForHelp = args.some((arg) => arg === "-h" || arg === "--help") || first === "help";
  const name = first === "help" ? rest[0] : first;
  if (asksForHelp || name === undefined) return help(name, asksForHelp);
  if (first === "--version" || first === "-v") {
    print(`${version()}\n`);
    return EXIT.ok;
  }
  const command = commandOf(name);
  const { operands, flags } = readCommandLine(command, rest);
  const environment = processEnvironment();
  const named = flags.control ?? environmentText("control", environment)?.text;
  // In the environment it may be meant for a program that is started from here.
  const control = named === CONTROL_OFF ? undefined : named;
  const given = control === undefined ? flags : { ...flags, control };
  return command.run({ operands, flags: given, context: pathContext(environment) });
}

/** Without any argument it is help that is needed, but not what a script can have meant. */
function help(named: string | undefined, wasAskedFor: boolean): ExitCode {
  const command = named === undefined || named.startsWith("-") ? undefined : commandOf(named);
  const text = command === undefined ? overallHelp([...PROGRAMS, ...COMMANDS]) : commandHelp(command);
  if (wasAskedFor) print(text);
  else process.stderr.write(text);
  return wasAskedFor ? EXIT.ok : EXIT.usage;
}

function commandOf(name: string): CommandSpec {
  const command = COMMANDS.find((command) => command.name === name);
  if (command !== undefined) return command;
  const names = [...PROGRAMS, ...COMMANDS].map(({ name }) => name);
  const what = name.startsWith("-") ? "option" : "command";
  const nearest = nearestName(name, names);
  throw optionError(
    `Unknown ${what} ${quote(name)}${nearest === undefined ? `; there are ${names.join(", ")}` : `, did you mean ${nearest}?`}`,
  );
}

function readCommandLine(spec: CommandSpec, args: readonly string[]): { operands: string[]; flags: CommandFlags } {
  const command = new Command().helpOption(false).exitOverride();
  if (spec.passThrough === true) command.passThroughOptions();
  command.configureOutput({ writeOut: () => {}, writeErr: () => {} });
  for (const { flag } of spec.flags) command.option(flag);
  const { operands, unknown } = parse(command, args);
  const [stranger] = unknown;
  if (stranger !== undefined) throw unknownFlag(spec, stranger);
  const extra = operands[spec.mostOperands];
  if (extra !== undefined) throw optionError(`choir ${spec.name} takes ${spec.operands}, got ${quote(extra)} besides`);
  return { operands, flags: command.opts<CommandFlags>() };
}

function parse(command: Command, args: readonly string[]): { operands: string[]; unknown: string[] } {
  try {
    return command.parseOptions([...args]);
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    // The one error that commander itself has here: the last word lacks its value.
    throw optionError(`${args.at(-1) ?? ""} needs a value`);
  }
}

function unknownFlag(spec: CommandSpec, flag: string) {
  const [typed = ""] = flag.split("=");
  const nearest = nearestName(typed, [...spec.flags.map(({ flag }) => flag.split(" ")[0] ?? ""), "--help"]);
  const others = spec.passThrough === true ? "; options of the app follow its file" : "";
  const advice =
    nearest === undefined ? `${others}; choir ${spec.name} --help lists its options` : `, did you mean ${nearest}?`;
  return optionError(`Unknown option ${typed} of choir ${spec.name}${advice}`);
}
