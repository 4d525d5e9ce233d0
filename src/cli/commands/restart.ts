/** `choir restart`: a rolling restart, watched to its end. */
import { callControl } from "../../control/client.ts";
import { describeEvent } from "../../describe-event.ts";
import { ChoirError, EXIT, type ExitCode } from "../../errors.ts";
import type { RestartResult } from "../../supervisor/snapshot.ts";
import { findApp } from "../find-app.ts";
import { ANSWER_MS, complain, print, printEvent, printJson } from "../output.ts";
import { APP_FLAGS, type CommandInput, type CommandSpec } from "./command.ts";

export const restart: CommandSpec = {
  name: "restart",
  operands: "[name]",
  mostOperands: 1,
  summary: "Replace all instances by new ones, losing no request",
  more:
    "Waits for the end and shows each step. Exits 1 when the new code failed and was taken back, with what it wrote last. " +
    "Ctrl-C ends the watching, not the restart.",
  flags: APP_FLAGS,
  run,
};

async function run({ operands: [name], flags, context }: CommandInput): Promise<ExitCode> {
  const { file, snapshot } = await findApp({ name, control: flags.control }, context);
  const result = await callControl(file, {
    method: "POST",
    path: "/v1/restart",
    timeout: ANSWER_MS,
    onEvent(event) {
      // The end is said from the result, which may be that of a restart that waited for this one.
      if (!flags.json && event.event !== "restart-finished") printEvent(event);
    },
  });
  if (!isRestartResult(result)) {
    throw new ChoirError("ERR_CHOIR_UNREACHABLE", `${snapshot.name} ended before the restart did`, {
      hint: "Its log says why",
    });
  }
  if (flags.json) printJson(result);
  else sayEnd(result);
  return result.outcome === "done" ? EXIT.ok : EXIT.fatal;
}

function sayEnd(result: RestartResult): void {
  const { message, detail } = describeEvent({ event: "restart-finished", ...result });
  if (result.outcome === "done") print(`${message}\n`);
  else complain(message, detail);
}

function isRestartResult(value: unknown): value is RestartResult {
  return typeof value === "object" && value !== null && "outcome" in value && typeof value.outcome === "string";
}
