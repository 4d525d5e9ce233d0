/** What a command of `choir` is: one file beside this one, and a line in the list of src/cli/main.ts. Types only. */
import type { PathContext } from "../../control/paths.ts";
import type { ExitCode } from "../../errors.ts";

/** The flags that commands have; each takes some of them. */
export interface CommandFlags {
  readonly control?: string;
  readonly json?: boolean;
  /** False after --no-wait. */
  readonly wait?: boolean;
  readonly retain?: boolean;
  readonly user?: boolean;
  readonly socket?: boolean;
  readonly name?: string;
  readonly output?: string;
  readonly for?: string;
  readonly follow?: boolean;
  readonly lines?: string;
  readonly instance?: string;
  readonly level?: string;
  readonly setLevel?: string;
  readonly reopen?: boolean;
  readonly heap?: boolean;
  readonly seconds?: string;
  readonly interval?: string;
}

export interface CommandInput {
  readonly operands: readonly string[];
  readonly flags: CommandFlags;
  readonly context: PathContext;
}

export interface FlagText {
  /** As commander takes it: `--control <path>`. */
  readonly flag: string;
  readonly about: string;
}

/** What the list of all commands says of one. */
export interface CommandSummary {
  readonly name: string;
  /** As help shows them: `[name]`. */
  readonly operands: string;
  readonly summary: string;
}

/** A command that runs an app: it reads its own command line. */
export interface ProgramSpec extends CommandSummary {
  run(args: readonly string[]): Promise<ExitCode>;
}

export interface CommandSpec extends CommandSummary {
  /** How many operands there may be. */
  readonly mostOperands: number;
  /** What follows the first operand is not this command's, whatever it looks like. */
  readonly passThrough?: true;
  /** Further lines of its own help. */
  readonly more: string;
  readonly flags: readonly FlagText[];
  run(input: CommandInput): Promise<ExitCode>;
}

/** How commands that talk to a running app find it and answer. */
export const APP_FLAGS: readonly FlagText[] = [
  { flag: "--control <path>", about: "The app's control socket, or the folder it is in [env CHOIR_CONTROL]" },
  { flag: "--json", about: "Print JSON" },
];
