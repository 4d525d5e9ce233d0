/** `choir status`: what the app and its instances are doing. */
import { EXIT, type ExitCode } from "../../errors.ts";
import { findApp } from "../find-app.ts";
import { print, printJson } from "../output.ts";
import { statusText } from "../status-text.ts";
import { APP_FLAGS, type CommandInput, type CommandSpec } from "./command.ts";

export const status: CommandSpec = {
  name: "status",
  operands: "[name]",
  mostOperands: 1,
  summary: "Show an app and its instances",
  more: "LOOP DELAY is the longest delay of the instance's event loop since its last heartbeat, MEMORY its resident set.",
  flags: APP_FLAGS,
  run,
};

async function run({ operands: [name], flags, context }: CommandInput): Promise<ExitCode> {
  const { snapshot } = await findApp({ name, control: flags.control }, context);
  if (flags.json) printJson(snapshot);
  else print(statusText(snapshot, Date.now()));
  return EXIT.ok;
}
