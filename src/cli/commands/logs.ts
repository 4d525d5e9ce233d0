/** `choir logs`: the last lines of an app's log, and those to come. */
import { callControl, followControl } from "../../control/client.ts";
import type { LevelName } from "../../events.ts";
import { EXIT, type ExitCode, quote } from "../../errors.ts";
import { wantsColors } from "../../logs/format/formatter.ts";
import { createPretty } from "../../logs/format/pretty.ts";
import { LEVELS } from "../../logs/levels.ts";
import { processEnvironment } from "../../options/environment.ts";
import { optionError } from "../../options/origin.ts";
import { findApp } from "../find-app.ts";
import { readLogLine, type ShownLine } from "../log-line.ts";
import { ANSWER_MS, complain, print } from "../output.ts";
import { untilInterrupted } from "../until-interrupted.ts";
import { wholeNumberOf } from "../whole-number.ts";
import { APP_FLAGS, type CommandFlags, type CommandInput, type CommandSpec } from "./command.ts";

export const logs: CommandSpec = {
  name: "logs",
  operands: "[name]",
  mostOperands: 1,
  summary: "Show the last lines of the log, and those to come",
  more:
    "About a thousand lines are kept, whatever the console and log files show. With --json each line is as in the JSON log. " +
    "--set-level and --reopen change the log instead of showing it.",
  flags: [
    { flag: "-f, --follow", about: "Go on with what is written from now on, until Ctrl-C or the app's end" },
    { flag: "--lines <n>", about: "How many of the last lines [default 100]" },
    { flag: "--instance <slot>", about: "Only lines of this instance, and events about it" },
    { flag: "--level <level>", about: "Only lines of this level and above: trace, debug, info, warn, error, fatal" },
    {
      flag: "--set-level <level>",
      about: "From now on, log lines of this level and above; a restart of the app forgets it",
    },
    { flag: "--reopen", about: "Open the log files anew, as SIGUSR2 does" },
    ...APP_FLAGS,
  ],
  run,
};

const MOST_LINES = 10_000;

async function run({ operands: [name], flags, context }: CommandInput): Promise<ExitCode> {
  const wanted = readFilter(flags);
  const setLevel = flags.setLevel === undefined ? undefined : levelOf(flags.setLevel, "--set-level");
  const lines = wholeNumberOf(flags.lines ?? "100", "--lines", [0, MOST_LINES]);
  const { file } = await findApp({ name, control: flags.control }, context);
  if (setLevel !== undefined) await change(file, "/v1/log-level", { level: setLevel });
  if (flags.reopen === true) await change(file, "/v1/reopen", {});
  if (setLevel !== undefined || flags.reopen === true) return EXIT.ok;
  const isTTY = process.stdout.isTTY ?? false;
  const format = createPretty({ colors: wantsColors(isTTY, processEnvironment()) });
  const path = `/v1/logs?lines=${lines}&follow=${flags.follow ?? false}`;
  await untilInterrupted((signal) =>
    followControl(file, {
      path,
      timeout: ANSWER_MS,
      signal,
      onLine(json) {
        const line = readLogLine(json);
        if (line === undefined) return;
        if (line.lost > 0) complain(`${line.lost} lines were lost: they came faster than they were read here`);
        else if (wanted(line)) print(flags.json === true ? `${json}\n` : line.text(format));
      },
    }),
  );
  return EXIT.ok;
}

async function change(file: string, path: string, body: Readonly<Record<string, unknown>>): Promise<void> {
  await callControl(file, { method: "POST", path, body, timeout: ANSWER_MS });
}

function readFilter({ instance, level }: CommandFlags): (line: ShownLine) => boolean {
  const slot = instance === undefined ? undefined : wholeNumberOf(instance, "--instance", [0, 1023]);
  const least = level === undefined ? 0 : LEVELS[levelOf(level, "--level")];
  return (line) => line.level >= least && (slot === undefined || line.instance === slot);
}

function levelOf(text: string, flag: string): LevelName {
  const names = Object.keys(LEVELS) as LevelName[];
  const name = names.find((each) => each === text);
  if (name !== undefined) return name;
  throw optionError(`${flag} must be one of ${names.join(", ")}, got ${quote(text)}`);
}
