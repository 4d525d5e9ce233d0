/** From the words behind `choir systemd` to what its units say: absolute paths, the app's options, what may not work. */
import { execFileSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type ChoirError, quote } from "../errors.ts";
import { programArguments } from "../options/environment.ts";
import { optionError } from "../options/origin.ts";
import { resolveOptions, resolveStartOptions } from "../options/resolve.ts";
import type { ResolvedOptions } from "../options/table.ts";
import type { UnitPlan } from "../systemd/unit.ts";
import { findModule, nameOf } from "./module-file.ts";
import { readRunnerFile, readSources } from "./sources.ts";

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
  const { execPath, cwd } = programArguments();
  const choir = choirFile(cwd);
  const app = words[0] === "start" ? startedApp(words.slice(1), cwd) : runnerApp(words, cwd);
  const plan: UnitPlan = {
    name: checkName(flags.name) ?? unitName(app),
    command: words[0] === "start" ? [execPath, choir, ...words] : [execPath, app.entry, ...words.slice(1)],
    reloadCommand: [execPath, choir, "restart"],
    cwd,
    options: app.options,
    userUnit: flags.user ?? false,
    socket: flags.socket ?? false,
    systemdVersion: versionOf(flags.for),
  };
  return { plan, warnings: warningsOf(plan, [execPath, app.entry, cwd]) };
}

/** What is to be run. */
interface PlannedApp {
  /** Its file, absolute. */
  readonly entry: string;
  readonly name: string | undefined;
  readonly options: ResolvedOptions;
}

/** A Runner program; what its code gives to the Runner is not known here, and neither is the environment that it will have. */
function runnerApp([file, ...args]: readonly string[], cwd: string): PlannedApp {
  if (file === undefined || file.startsWith("-")) {
    throw optionError("choir systemd needs the file of the app, for example: choir systemd --socket main.js -p 8080");
  }
  const entry = findModule(file, cwd);
  const resolution = resolveOptions({ args, environment: {}, code: {}, file: readRunnerFile(args, {}) });
  if (resolution.kind === "help") throw noHelp();
  return { entry, name: undefined, options: resolution.options };
}

/** What `choir start` is to run: the file may stand anywhere among its options. */
function startedApp(args: readonly string[], cwd: string): PlannedApp {
  const { file } = readSources(args);
  const resolution = resolveStartOptions({ args, environment: {}, code: {}, file });
  if (resolution.kind === "help") throw noHelp();
  const { start, options } = resolution;
  return { entry: findModule(start.module, path.resolve(cwd, start.cwd ?? ".")), name: start.name, options };
}

function noHelp(): ChoirError {
  return optionError("Leave --help away: it is no option that a service can have");
}

function checkName(given: string | undefined): string | undefined {
  if (given === undefined || /^[\w.@:-]{1,64}$/.test(given)) return given;
  throw optionError(`--name must be 1 to 64 letters, digits, "_", ".", "@", ":" or "-", got ${quote(given)}`);
}

/** An @ makes a unit a template, which a package's scope does not mean. */
function unitName({ name, entry }: PlannedApp): string {
  return (name ?? nameOf(entry)).replace(/^@/, "").replaceAll("@", "-") || "app";
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
