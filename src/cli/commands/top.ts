/** `choir top`: a live view of an app and its instances. */
import { followControl } from "../../control/client.ts";
import { EXIT, type ExitCode } from "../../errors.ts";
import type { Snapshot } from "../../supervisor/snapshot.ts";
import { type FoundApp, findApp } from "../find-app.ts";
import { ANSWER_MS, print } from "../output.ts";
import { isQuit, Screen } from "../screen.ts";
import { topFrame } from "../top-frame.ts";
import { untilInterrupted } from "../until-interrupted.ts";
import { wholeNumberOf } from "../whole-number.ts";
import { APP_FLAGS, type CommandInput, type CommandSpec } from "./command.ts";

export const top: CommandSpec = {
  name: "top",
  operands: "[name]",
  mostOperands: 1,
  summary: "Watch an app and its instances",
  more:
    "q or Ctrl-C ends it. REQ/S, P50, P99 and ERR/S are of the last five seconds, LOOP is the longest delay of the event loop and CPU its share " +
    "of one core since the last heartbeat, HEAP how full the old generation is. Without a terminal it shows one picture; --json is a " +
    "snapshot on each line.",
  flags: [{ flag: "--interval <seconds>", about: "Time between two pictures [default 1]" }, ...APP_FLAGS],
  run,
};

async function run({ operands: [name], flags, context }: CommandInput): Promise<ExitCode> {
  const seconds = wholeNumberOf(flags.interval ?? "1", "--interval", [1, 60]);
  const app = await findApp({ name, control: flags.control }, context);
  const follow: Follow = (signal, show) => followSnapshots(app, { ms: seconds * 1000, signal, show });
  if (flags.json === true) {
    await untilInterrupted((signal) => follow(signal, (snapshot) => print(`${JSON.stringify(snapshot)}\n`)));
  } else if (process.stdout.isTTY) await watch(follow);
  else print(`${topFrame(app.snapshot, { columns: 200, rows: 10_000, now: Date.now() }).join("\n")}\n`);
  return EXIT.ok;
}

type Follow = (signal: AbortSignal, show: (snapshot: Snapshot) => void) => Promise<void>;

/** Draws pictures until somebody has seen enough, or the app has ended. */
async function watch(follow: Follow): Promise<void> {
  let last: Snapshot | undefined;
  const ended = new AbortController();
  const draw = (): void => {
    if (last !== undefined) screen.draw(topFrame(last, { ...screen.size, now: Date.now() }));
  };
  const screen = new Screen({
    input: process.stdin,
    output: process.stdout,
    onKey: (key) => isQuit(key) && ended.abort(),
    onResize: draw,
  });
  try {
    await untilInterrupted((interrupted) => {
      screen.enter();
      return follow(AbortSignal.any([interrupted, ended.signal]), (snapshot) => {
        last = snapshot;
        draw();
      });
    });
  } finally {
    screen.leave();
  }
  if (last?.state === "stopping") print(`${last.name} has ended\n`);
}

interface FollowSnapshots {
  readonly ms: number;
  readonly signal: AbortSignal;
  readonly show: (snapshot: Snapshot) => void;
}

async function followSnapshots({ file }: FoundApp, { ms, signal, show }: FollowSnapshots): Promise<void> {
  await followControl(file, {
    path: `/v1/events?snapshots=${ms}`,
    timeout: ANSWER_MS,
    signal,
    onLine(line) {
      const { snapshot } = JSON.parse(line) as { snapshot?: Snapshot };
      if (snapshot !== undefined) show(snapshot);
    },
  });
}
