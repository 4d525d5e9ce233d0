/** `choir profile`: where an instance's CPU time goes, or what is in its heap, as a file for DevTools. */
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { downloadControl } from "../../control/client.ts";
import { ChoirError, describeThrown, EXIT, type ExitCode } from "../../errors.ts";
import { optionError } from "../../options/origin.ts";
import { findApp } from "../find-app.ts";
import { print, printJson } from "../output.ts";
import { describeBytes } from "../status-text.ts";
import { wholeNumberOf } from "../whole-number.ts";
import { APP_FLAGS, type CommandInput, type CommandSpec } from "./command.ts";

export const profile: CommandSpec = {
  name: "profile",
  operands: "<slot> [name]",
  mostOperands: 2,
  summary: "Write a CPU profile or a heap snapshot of an instance",
  more:
    "The file opens in Chrome's DevTools: Performance for a .cpuprofile, Memory for a .heapsnapshot. A CPU profile costs the instance a few " +
    "per cent while it lasts. A heap snapshot stops it for seconds for each GB of heap, needs as much memory again, and holds whatever the " +
    "app has in memory, secrets too.",
  flags: [
    { flag: "--seconds <n>", about: "How long to watch the CPU [default 10]" },
    { flag: "--heap", about: "A snapshot of the heap instead" },
    { flag: "--output <file>", about: "The file [default <name>-<slot>-<time>.cpuprofile or .heapsnapshot]" },
    ...APP_FLAGS,
  ],
  run,
};

/** How long an answer may take to begin besides the profile itself, in milliseconds: a heap of several GB takes minutes. */
const PATIENCE_MS = 660_000;

async function run({ operands: [slot, name], flags, context }: CommandInput): Promise<ExitCode> {
  if (slot === undefined)
    throw optionError("choir profile needs the slot of an instance, for example: choir profile 0");
  const instance = wholeNumberOf(slot, "The slot", [0, 1023]);
  const heap = flags.heap ?? false;
  if (heap && flags.seconds !== undefined) throw optionError("--seconds is for a CPU profile, not for --heap");
  const seconds = wholeNumberOf(flags.seconds ?? "10", "--seconds", [1, 300]);
  const { file: socket, snapshot } = await findApp({ name, control: flags.control }, context);
  const kind = heap ? "heapsnapshot" : "cpuprofile";
  const file = flags.output ?? `${snapshot.name}-${instance}-${timestamp(new Date())}.${kind}`;
  const body = heap ? { instance, kind: "heap" } : { instance, kind: "cpu", seconds };
  const bytes = await download(socket, body, file);
  if (flags.json) printJson({ name: snapshot.name, instance, file, bytes });
  else print(`Wrote ${file} (${bytes < 1e6 ? `${bytes} bytes` : describeBytes(bytes)})\n`);
  return EXIT.ok;
}

/** Writes what comes beside the file and puts it in its place when it is whole; nobody else may read it. */
async function download(socket: string, body: Readonly<Record<string, unknown>>, file: string): Promise<number> {
  const response = await downloadControl(socket, { method: "POST", path: "/v1/profile", body, timeout: PATIENCE_MS });
  const unfinished = `${file}.part`;
  const out = createWriteStream(unfinished, { mode: 0o600 });
  try {
    await pipeline(response, out);
    await rename(unfinished, file);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw new ChoirError("ERR_CHOIR_REQUEST", `The profile was not written to ${file}: ${describeThrown(error)}`, {
      cause: error,
      hint: "The instance or the app may have ended meanwhile, or the disk may be full",
    });
  }
  return out.bytesWritten;
}

/** As it is in names of files: `20261122-174530`. */
function timestamp(date: Date): string {
  const digits = date.toISOString().replaceAll(/\D/g, "");
  return `${digits.slice(0, 8)}-${digits.slice(8, 14)}`;
}
