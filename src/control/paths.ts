/**
 * Where control sockets live: which folder a supervisor takes, and which ones the `choir` command looks in. Used by both; looks
 * at folders and makes them, opens nothing.
 */
import { lstatSync, mkdirSync, realpathSync, type Stats, statSync } from "node:fs";
import path from "node:path";

/** What the choice depends on. */
export interface PathContext {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The user's number. */
  readonly uid: number;
  /** The system's folder for temporary files. */
  readonly temporary: string;
  /** The system's folder for sockets of running programs; default /run. */
  readonly run?: string;
}

/** A folder where control sockets may be. */
export interface ControlFolder {
  readonly path: string;
  /** Mode with which a supervisor makes it; undefined where somebody else has to. */
  readonly create: number | undefined;
  /** Nobody but its owner may even look into it. */
  readonly private: boolean;
  /** Whether a supervisor of this user may put its socket there. */
  readonly own: boolean;
}

/** What a look at a folder came to. `unsafe` goes on after the folder's name. */
export type FolderState =
  | { readonly kind: "fit" }
  | { readonly kind: "absent" }
  | { readonly kind: "unsafe"; readonly why: string; readonly remedy: string };

/** Longest path that fits sockaddr_un on Linux (108 with the closing NUL) and macOS (104). */
const MAX_UNIX_PATH = process.platform === "linux" ? 107 : 103;

/** Says why a path cannot be a Unix socket's; goes on after the path. Undefined when it can. */
export function unixPathError(file: string): string | undefined {
  const bytes = Buffer.byteLength(file);
  if (bytes <= MAX_UNIX_PATH) return undefined;
  return `has a path that is too long for a Unix socket: at most ${MAX_UNIX_PATH} bytes, got ${bytes}`;
}

/** The file name of an app's socket. */
export function socketName(name: string): string {
  return `${name}.sock`;
}

/** The folders where sockets are when --control says nothing, the first choice first. */
export function controlFolders({ environment, uid, temporary, run = "/run" }: PathContext): readonly ControlFolder[] {
  const folders: ControlFolder[] = [];
  // systemd separates several by colons; the first is the service's own.
  const [service] = (environment["RUNTIME_DIRECTORY"] ?? "").split(":");
  if (isOwned(service, uid))
    folders.push({ path: realpathSync(service), create: undefined, private: false, own: true });
  const session = environment["XDG_RUNTIME_DIR"];
  // After sudo it may still be the other user's.
  if (isOwned(session, uid))
    folders.push({ path: path.join(session, "choir"), create: 0o700, private: true, own: true });
  const system = path.join(run, "choir");
  folders.push({
    path: system,
    create: uid === 0 ? 0o755 : undefined,
    private: false,
    own: isOwned(system, uid) || uid === 0,
  });
  folders.push({ path: path.join(temporary, `choir-${uid}`), create: 0o700, private: true, own: true });
  return folders;
}

/** Looks whether a folder may be trusted with a control socket: who can write to it can put a socket of his own there. */
export function examineFolder(folder: Pick<ControlFolder, "path" | "private">, uid: number): FolderState {
  const stats = look(folder.path, lstatSync);
  if (stats === undefined) return { kind: "absent" };
  if (stats.isSymbolicLink())
    return unsafe("is a symbolic link", `Remove it, and see who made it: ls -l ${folder.path}`);
  if (!stats.isDirectory()) return unsafe("is no folder", "Remove what is there");
  return examineRights(stats, { uid, private: folder.private, path: folder.path });
}

/** Looks whether the folder of a path that a person chose may be trusted: as above, but a sticky one, as /tmp, will do. */
export function examineChosenFolder(folder: string, uid: number): FolderState {
  const stats = look(folder, statSync);
  if (stats === undefined) return { kind: "absent" };
  if (!stats.isDirectory()) return unsafe("is no folder", "Choose another path");
  const sticky = (stats.mode & 0o1000) !== 0;
  return sticky && stats.uid === 0 ? { kind: "fit" } : examineRights(stats, { uid, private: false, path: folder });
}

/** Makes the folder if that is a supervisor's part; what came of it, a look afterwards tells. */
export function makeFolder({ path: folder, create }: ControlFolder): void {
  if (create === undefined) return;
  try {
    mkdirSync(folder, { mode: create });
  } catch {
    // It is there, perhaps made by another at the same time, or cannot be made.
  }
}

/** Resolves --control: a folder that exists, or a path with a slash at its end, holds the socket under the app's name. */
export function chosenPath(control: string, name: string): string {
  return isFolder(control) ? path.resolve(control, socketName(name)) : path.resolve(control);
}

/** Whether what --control says is a folder for sockets, not a socket. */
export function isFolder(control: string): boolean {
  return control.endsWith("/") || (look(control, statSync)?.isDirectory() ?? false);
}

interface Rules {
  readonly uid: number;
  readonly private: boolean;
  readonly path: string;
}

function examineRights(stats: Stats, { uid, private: isPrivate, path: folder }: Rules): FolderState {
  const mode = stats.mode & 0o777;
  if (stats.uid !== uid && (isPrivate || stats.uid !== 0)) {
    return unsafe(`belongs to another user (uid ${stats.uid})`, "Remove it, or choose another path with --control");
  }
  const allowed = isPrivate ? 0o700 : 0o755;
  if ((mode & ~allowed) === 0) return { kind: "fit" };
  return unsafe(
    `${isPrivate ? "is open to other users" : "can be written by other users"} (mode 0${mode.toString(8)})`,
    `See what is in it, then: chmod ${allowed.toString(8)} ${folder}`,
  );
}

function unsafe(why: string, remedy: string): FolderState {
  return { kind: "unsafe", why, remedy };
}

function isOwned(folder: string | undefined, uid: number): folder is string {
  if (folder === undefined || !path.isAbsolute(folder)) return false;
  const stats = look(folder, statSync);
  return stats !== undefined && stats.isDirectory() && stats.uid === uid;
}

function look(file: string, how: (file: string) => Stats): Stats | undefined {
  try {
    return how(file);
  } catch {
    return undefined;
  }
}
