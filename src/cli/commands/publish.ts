/** `choir publish`: a message to all instances. */
import { callControl } from "../../control/client.ts";
import { ChoirError, describeThrown, EXIT, type ExitCode, quote } from "../../errors.ts";
import { checkTopic } from "../../messaging/topics.ts";
import { encodeValue } from "../../messaging/value.ts";
import { optionError } from "../../options/origin.ts";
import { findApp } from "../find-app.ts";
import { ANSWER_MS, print, printJson } from "../output.ts";
import { APP_FLAGS, type CommandInput, type CommandSpec } from "./command.ts";

export const publish: CommandSpec = {
  name: "publish",
  operands: "<topic> <json> [name]",
  mostOperands: 3,
  summary: "Publish a message to all instances",
  more:
    "The value is JSON: a text is written with its quotes, as in choir publish greeting '\"hello\"'. " +
    "Done means that it was handed on to those who have subscribed.",
  flags: [
    ...APP_FLAGS,
    { flag: "--retain", about: "Keep it as the topic's last value, for those who subscribe later" },
  ],
  run,
};

async function run({ operands: [topic, json, name], flags, context }: CommandInput): Promise<ExitCode> {
  if (topic === undefined || json === undefined) {
    throw optionError("choir publish needs a topic and a value, for example: choir publish greeting '\"hello\"'");
  }
  checkedTopic(topic);
  const value = readValue(json);
  const { file, snapshot } = await findApp({ name, control: flags.control }, context);
  const retain = flags.retain ?? false;
  await callControl(file, { method: "POST", path: "/v1/publish", body: { topic, value, retain }, timeout: ANSWER_MS });
  if (flags.json) printJson({ name: snapshot.name, topic, retain });
  else print(`Published to ${topic} of ${snapshot.name}\n`);
  return EXIT.ok;
}

function checkedTopic(topic: string): void {
  try {
    checkTopic(topic);
  } catch (error) {
    throw optionError(error instanceof ChoirError ? error.message : describeThrown(error));
  }
}

function readValue(json: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw optionError(
      `The value must be JSON, got ${quote(json)}; a text is written with its quotes: '${JSON.stringify(json)}'`,
    );
  }
  try {
    // A number such as 1e999 is JSON, and none that can be sent.
    encodeValue(value);
  } catch (error) {
    throw optionError(describeThrown(error));
  }
  return value;
}
