/** `choir stop`: drains all instances and waits until the app is gone. */
import { readFileSync } from "node:fs";
import { callControl } from "../../control/client.ts";
import { EXIT, type ExitCode } from "../../errors.ts";
import { type FoundApp, findApp } from "../find-app.ts";
import { ANSWER_MS, print, printEvent, printJson } from "../output.ts";
import { APP_FLAGS, type CommandInput, type CommandSpec } from "./command.ts";

export const stop: CommandSpec = {
  name: "stop",
  operands: "[name]",
  mostOperands: 1,
  summary: "Let the open requests finish, then end the app",
  more: "Waits until the app is gone. Exits 1 when it did not end well, as when a request was still open at --shutdown-timeout.",
  flags: [...APP_FLAGS, { flag: "--no-wait", about: "Return as soon as the app has been told" }],
  run,
};

/** How long a process may be seen after its control socket has gone, in milliseconds. */
const LAST_MOMENTS_MS = 5000;
const LOOK_EVERY_MS = 20;

async function run({ operands: [name], flags, context }: CommandInput): Promise<ExitCode> {
  const app = await findApp({ name, control: flags.control }, context);
  const { pid } = app.snapshot;
  const wait = flags.wait ?? true;
  const code = wait ? await stopAndWait(app, flags.json ?? false) : await order(app);
  if (flags.json) printJson({ name: app.snapshot.name, pid, stopped: wait, code });
  else if (!wait) print(`${app.snapshot.name} (pid ${pid}) is stopping\n`);
  return code === null || code === 0 ? EXIT.ok : EXIT.fatal;
}

async function order({ file }: FoundApp): Promise<null> {
  await callControl(file, { method: "POST", path: "/v1/stop", timeout: ANSWER_MS });
  return null;
}

/** Resolved with the app's exit code when its process is gone; null when that was not said. */
async function stopAndWait({ file, snapshot }: FoundApp, isQuiet: boolean): Promise<number | null> {
  let code: number | null = null;
  await callControl(file, {
    method: "POST",
    path: "/v1/stop",
    timeout: ANSWER_MS,
    onEvent(event) {
      if (event.event === "stopped") ({ code } = event);
      if (!isQuiet) printEvent(event);
    },
  });
  // The socket goes last, when the addresses are free again; what remains is the process's own end.
  const end = performance.now() + LAST_MOMENTS_MS;
  while (isRunning(snapshot.pid) && performance.now() < end) {
    await new Promise((resolve) => {
      setTimeout(resolve, LOOK_EVERY_MS);
    });
  }
  return code;
}

/** Whether a process has not ended; where its parent is slow to take note, as PID 1 of a container, it has. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return true;
  }
}
