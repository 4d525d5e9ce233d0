/** What the command lines print: the `choir` command's answers on stdout, and what went wrong on stderr. */
import { inspect } from "node:util";
import { describeEvent } from "../describe-event.ts";
import { ChoirError, EXIT, type ExitCode } from "../errors.ts";
import type { ChoirEvent } from "../events.ts";
import { escapeForTerminal } from "../logs/format/escape.ts";
import { isDebugging } from "../options/environment.ts";

/** Says why the program ends, in a message and one line of advice (the stack with NODE_DEBUG=choir); returns the exit code. */
export function reportFatal(error: unknown, program: string): ExitCode {
  const ours = error instanceof ChoirError;
  const lines = [`${program}: ${ours ? error.message : inspect(error)}`];
  if (ours && error.hint !== undefined) lines.push(`  ${error.hint}`);
  const saysWhere = ours && error.message.includes("--help lists");
  if (ours && error.exitCode === EXIT.usage && !saysWhere) lines.push("  --help lists all options");
  if (ours && isDebugging()) lines.push(inspect(error));
  process.stderr.write(`${lines.join("\n")}\n`);
  return ours ? error.exitCode : EXIT.fatal;
}

/** How long a supervisor may take to begin its answer, in milliseconds: it has nothing else to do than to be quick. */
export const ANSWER_MS = 10_000;

export function print(text: string): void {
  process.stdout.write(text);
}

/** Prints a value for a program to read: one document. */
export function printJson(value: unknown): void {
  print(`${JSON.stringify(value, null, 2)}\n`);
}

/** Prints what happens in an app that a command is waiting for. One of a newer version may be unknown here, and is left out. */
export function printEvent(event: ChoirEvent): void {
  const description = describeKnown(event);
  if (description === undefined || description.level === "debug") return;
  print(paragraph(description.message, description.detail));
}

/** Says what a command did not achieve. */
export function complain(message: string, detail?: string): void {
  process.stderr.write(`choir: ${paragraph(message, detail)}`);
}

function describeKnown(event: ChoirEvent): ReturnType<typeof describeEvent> | undefined {
  try {
    return describeEvent(event);
  } catch {
    return undefined;
  }
}

/** A line with further ones indented below it; what an app wrote into them is escaped. */
function paragraph(message: string, detail = ""): string {
  const lines = [message, ...(detail === "" ? [] : detail.split("\n").map((line) => `  ${line}`))];
  return `${lines.map(escapeForTerminal).join("\n")}\n`;
}
