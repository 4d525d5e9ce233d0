/** What the command line says on stderr. */
import { inspect } from "node:util";
import { ChoirError, EXIT, type ExitCode } from "../errors.ts";
import { isDebugging } from "../options/environment.ts";

/** Says why the program ends, in a message and one line of advice (the stack with NODE_DEBUG=choir); returns the exit code. */
export function reportFatal(error: unknown, program: string): ExitCode {
  const ours = error instanceof ChoirError;
  const lines = [`${program}: ${ours ? error.message : inspect(error)}`];
  if (ours && error.hint !== undefined) lines.push(`  ${error.hint}`);
  if (ours && error.exitCode === EXIT.usage) lines.push("  --help lists all options");
  if (ours && isDebugging()) lines.push(inspect(error));
  process.stderr.write(`${lines.join("\n")}\n`);
  return ours ? error.exitCode : EXIT.fatal;
}
