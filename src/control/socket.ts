/**
 * Binds the control socket's file: 0600 from its first moment, a stale one is taken over, a live one is not. Used in the
 * supervisor.
 */
import { lstatSync, type Stats, unlinkSync } from "node:fs";
import type { Server } from "node:http";
import { ChoirError, quote } from "../errors.ts";
import { askForStatus, type StatusAnswer } from "./client.ts";
import { unixPathError } from "./paths.ts";

export interface ControlSocket {
  /** Resolved when the last connection is closed. The file is gone at once, unless it is a successor's by now. */
  close(): Promise<void>;
}

/** How often a file that appears between two looks is looked at again. */
const TRIES = 5;

/** Makes the server listen at `file`. */
export async function bindControlSocket(server: Server, file: string): Promise<ControlSocket> {
  const tooLong = unixPathError(file);
  if (tooLong !== undefined) throw controlError(file, tooLong);
  for (let tried = 1; ; tried++) {
    await removeStale(file);
    const code = await listen(server, file);
    if (code === undefined) break;
    if (code !== "EADDRINUSE" || tried === TRIES)
      throw controlError(file, REASONS[code] ?? `cannot be bound (${code})`);
  }
  const { ino } = lstatSync(file);
  return {
    close: () =>
      new Promise((resolve) => {
        // libuv unlinks the path when the handle is closed, also a successor's: then the process's end has to close it.
        if (lstatSync(file, { throwIfNoEntry: false })?.ino === ino) server.close(() => resolve());
        else resolve();
      }),
  };
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "is in a folder that does not exist or cannot be written by this user",
  EADDRINUSE: "is bound anew by others as often as it is removed",
  EROFS: "is on a file system that cannot be written",
};

/** Makes the error about a control socket that cannot be had. */
export function controlError(file: string, what: string, hint?: string): ChoirError {
  return new ChoirError("ERR_CHOIR_CONTROL", `Control socket ${quote(file)} ${what}`, {
    hint: hint ?? "Choose another path with --control, or --control off to go without",
  });
}

/** Listens; resolved with the system's code when it cannot. */
function listen(server: Server, file: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException): void => resolve(error.code ?? "EUNKNOWN");
    server.once("error", failed);
    // The umask, not a chmod afterwards: between bind and chmod anybody could connect. Both happen inside of listen().
    const umask = process.umask(0o177);
    try {
      server.listen(file, () => {
        server.off("error", failed);
        resolve(undefined);
      });
    } finally {
      process.umask(umask);
    }
  });
}

/** Removes a socket's file whose process is gone, which a refused connection shows; anything else there is left alone. */
async function removeStale(file: string): Promise<void> {
  const found = look(file);
  if (found === undefined) return;
  if (!found.isSocket())
    throw controlError(file, "is there already and is no socket", "Remove it, or choose another path with --control");
  const answer = await askForStatus(file);
  switch (answer.kind) {
    case "gone":
      return;
    case "stale": {
      // It may be a new one by now: another program that starts has found the same stale file.
      const now = look(file);
      if (now?.ino === found.ino && now.ctimeMs === found.ctimeMs) remove(file);
      return;
    }
    case "denied":
      throw controlError(file, "belongs to another user");
    case "alive":
    case "silent":
      throw nameInUse(file, answer);
  }
}

function nameInUse(file: string, answer: Extract<StatusAnswer, { kind: "alive" | "silent" }>): ChoirError {
  const message =
    answer.kind === "alive"
      ? `An app named ${quote(answer.snapshot.name)} is running already, with pid ${answer.snapshot.pid} and the control socket ${quote(file)}`
      : `Another program has the control socket ${quote(file)} and does not answer`;
  return new ChoirError("ERR_CHOIR_NAME_IN_USE", message, {
    hint: "Stop that one, or give this one another name, or a socket of its own with --control <path> (or --control off)",
  });
}

function look(file: string): Stats | undefined {
  try {
    return lstatSync(file, { throwIfNoEntry: false });
  } catch (error) {
    throw controlError(file, `cannot be looked at (${(error as NodeJS.ErrnoException).code})`);
  }
}

function remove(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "ENOENT") throw controlError(file, `is stale and cannot be removed (${code})`);
  }
}
