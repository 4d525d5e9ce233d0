/** `choir scale`: another number of instances. */
import { callControl } from "../../control/client.ts";
import { EXIT, type ExitCode, quote } from "../../errors.ts";
import { optionError } from "../../options/origin.ts";
import { findApp } from "../find-app.ts";
import { ANSWER_MS, print, printEvent, printJson } from "../output.ts";
import { APP_FLAGS, type CommandInput, type CommandSpec } from "./command.ts";

export const scale: CommandSpec = {
  name: "scale",
  operands: "<n> [name]",
  mostOperands: 2,
  summary: "Run another number of instances",
  more:
    "More are started at once; of fewer, the newest drain and end. A rolling restart that is under way ends first. " +
    "The number holds until the app is stopped.",
  flags: APP_FLAGS,
  run,
};

async function run({ operands: [text, name], flags, context }: CommandInput): Promise<ExitCode> {
  const instances = readCount(text, name);
  const { file, snapshot } = await findApp({ name, control: flags.control }, context);
  let said = false;
  const result = await callControl(file, {
    method: "POST",
    path: "/v1/scale",
    body: { instances },
    timeout: ANSWER_MS,
    onEvent(event) {
      if (event.event !== "scaled" || flags.json) return;
      said = true;
      printEvent(event);
    },
  });
  if (flags.json) printJson(result);
  else if (!said) print(`${snapshot.name} has ${instances} already, or is stopping: nothing was changed\n`);
  return EXIT.ok;
}

function readCount(text: string | undefined, name: string | undefined): number {
  if (text !== undefined && /^[1-9]\d*$/.test(text)) return Number(text);
  if (text === undefined) throw optionError("choir scale needs the number of instances, for example: choir scale 4");
  const advice = name !== undefined && /^\d+$/.test(name) ? `; write choir scale ${name} ${text}` : "";
  throw optionError(`The number of instances must be a whole number of at least 1, got ${quote(text)}${advice}`);
}
