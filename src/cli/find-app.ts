/**
 * Finds the running app that a `choir` command means: by its name, by its control socket, or as the only one that there is.
 */
import { readdirSync } from "node:fs";
import path from "node:path";
import { askForStatus, type StatusAnswer } from "../control/client.ts";
import { controlFolders, examineFolder, isFolder, type PathContext } from "../control/paths.ts";
import { ChoirError, quote } from "../errors.ts";
import { nearestName } from "../options/nearest.ts";
import type { Snapshot } from "../supervisor/snapshot.ts";

export interface Wanted {
  readonly name: string | undefined;
  /** What --control says: a socket, or a folder of them. */
  readonly control: string | undefined;
}

/** A running app. */
export interface FoundApp {
  /** Its control socket. */
  readonly file: string;
  readonly snapshot: Snapshot;
}

interface Probed {
  readonly file: string;
  readonly answer: StatusAnswer;
}

/** Finds the one app that is meant; throws with what there is instead when that is none or several. */
export async function findApp({ name, control }: Wanted, context: PathContext): Promise<FoundApp> {
  const places = placesOf(control, context);
  // systemd's folder for a service lies in one that is looked into as well.
  const files = [...new Set(places.flatMap(({ files }) => files))];
  const probed = await Promise.all(files.map(async (file) => ({ file, answer: await askForStatus(file) })));
  const running = probed.flatMap(({ file, answer }) =>
    answer.kind === "alive" ? [{ file, snapshot: answer.snapshot }] : [],
  );
  const found = name === undefined ? running : running.filter(({ snapshot }) => snapshot.name === name);
  const [app, ...others] = found;
  if (app === undefined) throw notFound(name, { running, probed, looked: places.map(({ path }) => path) });
  if (others.length > 0) throw several(found, name);
  return app;
}

interface Place {
  readonly path: string;
  readonly files: readonly string[];
}

function placesOf(control: string | undefined, context: PathContext): readonly Place[] {
  if (control !== undefined) {
    const chosen = path.resolve(control);
    return [{ path: chosen, files: isFolder(control) ? socketsIn(chosen) : [chosen] }];
  }
  // A folder that others can write to may hold a socket of theirs, which would answer in the app's place.
  return controlFolders(context).map((folder) => ({
    path: folder.path,
    files: examineFolder(folder, context.uid).kind === "fit" ? socketsIn(folder.path) : [],
  }));
}

/** The sockets in a folder, and one level below, where systemd makes a folder for each service. */
function socketsIn(folder: string, depth = 1): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const inside = path.join(folder, entry.name);
      if (entry.isDirectory() && depth > 0) return socketsIn(inside, depth - 1);
      return entry.isSocket() && entry.name.endsWith(".sock") ? [inside] : [];
    });
  } catch {
    return [];
  }
}

interface Findings {
  readonly running: readonly FoundApp[];
  readonly probed: readonly Probed[];
  readonly looked: readonly string[];
}

function notFound(name: string | undefined, { running, probed, looked }: Findings): ChoirError {
  const names = running.map(({ snapshot }) => snapshot.name);
  const nearest = name === undefined ? undefined : nearestName(name, names);
  const lines = [
    ...probed.flatMap(({ file, answer }) => OBSTACLES[answer.kind]?.(file) ?? []),
    names.length === 0 ? `Looked in ${looked.join(", ")}` : `Running: ${names.join(", ")}`,
    ...(names.length === 0
      ? [
          "Start one with node and its file: node main.js; one with a --control path of its own is found with the same --control",
        ]
      : []),
  ];
  const subject = name === undefined ? "No running app was found" : `No app named ${quote(name)} is running`;
  const message = nearest === undefined ? subject : `${subject}, did you mean ${quote(nearest)}?`;
  return new ChoirError("ERR_CHOIR_UNREACHABLE", message, { hint: lines.join("\n  ") });
}

/** What else was seen on the way, where it may be the app that is meant. */
const OBSTACLES: Partial<Record<StatusAnswer["kind"], (file: string) => string>> = {
  silent: (file) => `What listens at ${file} does not answer`,
  denied: (file) => `${file} belongs to another user: run this command as that user`,
  stale: (file) => `${file} was left behind by an app that was killed`,
};

function several(apps: readonly FoundApp[], name: string | undefined): ChoirError {
  const list = apps.map(({ file, snapshot }) => `${snapshot.name} (pid ${snapshot.pid}, ${file})`);
  const message =
    name === undefined
      ? "Several apps are running: say which one by its name"
      : `Several apps named ${quote(name)} are running: say which one with --control <path>`;
  return new ChoirError("ERR_CHOIR_OPTION", message, { hint: list.join("\n  ") });
}
