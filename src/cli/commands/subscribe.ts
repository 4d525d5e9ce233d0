/** `choir subscribe`: shows the messages of a topic as they come. */
import { followControl } from "../../control/client.ts";
import { ChoirError, describeThrown, EXIT, type ExitCode } from "../../errors.ts";
import { escapeForTerminal } from "../../logs/format/escape.ts";
import { checkPattern } from "../../messaging/topics.ts";
import { optionError } from "../../options/origin.ts";
import { findApp } from "../find-app.ts";
import { ANSWER_MS, complain, print } from "../output.ts";
import { APP_FLAGS, type CommandInput, type CommandSpec } from "./command.ts";

export const subscribe: CommandSpec = {
  name: "subscribe",
  operands: "<topic> [name]",
  mostOperands: 2,
  summary: "Show the messages of a topic as they come",
  more:
    "In the topic * stands for one token and a last > for the rest; quote them for the shell: choir subscribe '>'. " +
    "Retained values come first. Ends with the app, or by Ctrl-C. No instance waits for it: what it is too slow for is lost, and that is said.",
  flags: APP_FLAGS,
  run,
};

async function run({ operands: [topic, name], flags, context }: CommandInput): Promise<ExitCode> {
  if (topic === undefined) throw optionError("choir subscribe needs a topic, for example: choir subscribe '>'");
  checkedPattern(topic);
  const { file } = await findApp({ name, control: flags.control }, context);
  // A reader that has seen enough, as `head`, ends it.
  const ended = new AbortController();
  process.stdout.on("error", () => ended.abort());
  await followControl(file, {
    path: "/v1/subscribe",
    body: { topic },
    timeout: ANSWER_MS,
    signal: ended.signal,
    onLine: (line) => show(line, flags.json ?? false),
  });
  return EXIT.ok;
}

interface Line {
  readonly topic?: string;
  readonly retained?: boolean;
  readonly value?: unknown;
  readonly base64?: string;
  readonly lost?: number;
}

function show(line: string, isJson: boolean): void {
  const { topic = "", retained, value, base64, lost } = parse(line);
  if (lost !== undefined) complain(`${lost} messages were lost: they came faster than they were read here`);
  if (isJson) print(`${line}\n`);
  else if (lost === undefined) {
    const text = base64 === undefined ? JSON.stringify(value) : `${base64} (bytes, in base64)`;
    print(`${escapeForTerminal(`${topic} ${text}${retained === true ? " (retained)" : ""}`)}\n`);
  }
}

/** What an instance of another make has published may be no JSON. */
function parse(line: string): Line {
  try {
    return JSON.parse(line) as Line;
  } catch {
    return { value: line };
  }
}

function checkedPattern(topic: string): void {
  try {
    checkPattern(topic);
  } catch (error) {
    throw optionError(error instanceof ChoirError ? error.message : describeThrown(error));
  }
}
