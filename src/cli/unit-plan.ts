/** From the words behind `choir systemd` to what its units say: absolute paths, the app's options, what may not work. */
import { execFileSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { ChoirError, quote } from "../errors.ts";
import { programArguments } from "../options/environment.ts";
import { optionError } from "../options/origin.ts";
import { resolveOptions } from "../options/resolve.ts";
import type { ResolvedOptions } from "../options/table.ts";
import type { UnitPlan } from "../systemd/unit.ts";

export interface UnitFlags {
  readonly user?: boolean;
  readonly socket?: boolean;
  readonly name?: string;
  readonly for?: string;
}

/** What is taken for the machine's systemd where there is none: one that knows all that the units use. */
const USUAL_VERSION = 257;

/** Makes the plan; throws for an app that is not there and for options that it would not start with. */
export function planUnits(words: readonly string[], flags: UnitFlags): { plan: UnitPlan; warnings: string[] } {
  const isStart = words[0] === "start";
  const [file, ...args] = isStart ? words.slice(1) : words;
  if (file === undefined || file.startsWith("-")) {
    throw optionError("choir systemd needs the file of the app, for example: choir systemd --socket main.js -p 8080");
  }
  const { execPath, cwd } = programArguments();
  const entry = path.resolve(cwd, file);
  if (!isFile(entry)) throw noFile(entry, file);
  const choir = choirFile(cwd);
  const command = isStart ? [execPath, choir, "start", entry, ...args] : [execPath, entry, ...args];
  const plan: UnitPlan = {
    name: unitName(flags.name, entry),
    command,
    reloadCommand: [execPath, choir, "restart"],
    cwd,
    options: optionsOf(args),
    userUnit: flags.user ?? false,
    socket: flags.socket ?? false,
    systemdVersion: versionOf(flags.for),
  };
  return { plan, warnings: warningsOf(plan, [execPath, entry, cwd]) };
}

/** As the app would read them at its start; what its code gives to the Runner is not known here. */
function optionsOf(args: readonly string[]): ResolvedOptions {
  const resolution = resolveOptions({ args, environment: {}, code: {} });
  if (resolution.kind === "help") throw optionError("Leave --help away: it is no option that a service can have");
  return resolution.options;
}

function unitName(given: string | undefined, entry: string): string {
  if (given !== undefined && !/^[\w.@:-]{1,64}$/.test(given)) {
    throw optionError(`--name must be 1 to 64 letters, digits, "_", ".", "@", ":" or "-", got ${quote(given)}`);
  }
  const stem = path.basename(entry).replace(/\.[^.]+$/, "");
  const plain = /^(?:index|main|app|server)$/.test(stem) ? path.basename(path.dirname(entry)) : stem;
  return given ?? (plain.replaceAll(/[^\w.-]/g, "_").slice(0, 64) || "app");
}

/** The app's own copy, by the path on which it will still be found after the next deployment. */
function choirFile(cwd: string): string {
  const own = path.join(cwd, "node_modules/choir/bin/choir.js");
  return existsSync(own) ? own : fileURLToPath(new URL("../../../bin/choir.js", import.meta.url));
}

function versionOf(given: string | undefined): number {
  if (given !== undefined) {
    if (/^\d{3}$/.test(given)) return Number(given);
    throw optionError(`--for must be a version of systemd, a number such as 255, got ${quote(given)}`);
  }
  try {
    const text = execFileSync("systemctl", ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return Number(/^systemd (\d+)/.exec(text)?.[1] ?? USUAL_VERSION);
  } catch {
    return USUAL_VERSION;
  }
}

function warningsOf({ userUnit }: UnitPlan, files: readonly string[]): string[] {
  if (userUnit) return [];
  const closed = new Set(files.flatMap((file) => closedFolder(file) ?? []));
  const hidden = files.filter((file) => /^(?:\/var)?\/tmp\//.test(file));
  return [
    ...[...closed].map((folder) => `${folder} is closed to other users, and the app runs as another one. ${READABLE}`),
    ...hidden.map((file) => `${file} cannot be seen by the service, which has a /tmp of its own. ${READABLE}`),
  ];
}

const READABLE = "Put node and the app where every user can read them, such as /usr and /srv";

/** The first folder on the way to a file that other users cannot enter. */
function closedFolder(file: string): string | undefined {
  const folders = path.dirname(file).split(path.sep);
  return folders
    .map((_, index) => folders.slice(0, index + 1).join(path.sep) || path.sep)
    .find((folder) => ((statSync(folder, { throwIfNoEntry: false })?.mode ?? 1) & 1) === 0);
}

function isFile(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
}

function noFile(entry: string, given: string): ChoirError {
  return new ChoirError("ERR_CHOIR_OPTION", `There is no file ${quote(entry)}`, {
    hint: existsSync(entry)
      ? "It is no regular file: name the file that node runs"
      : `Looked for ${given} in the working directory; run choir systemd where the app will run`,
  });
}
