/**
 * Opens an app's control socket where it belongs, or says why it goes without. Used in the supervisor.
 */
import { tmpdir } from "node:os";
import path from "node:path";
import type { Clock } from "../clock.ts";
import { ChoirError, describeThrown } from "../errors.ts";
import type { ChoirEvent } from "../events.ts";
import type { ResolvedOptions } from "../options/table.ts";
import type { Controllable } from "./controllable.ts";
import { EventFeed } from "./event-feed.ts";
import {
  chosenPath,
  controlFolders,
  examineChosenFolder,
  examineFolder,
  makeFolder,
  type PathContext,
  socketName,
} from "./paths.ts";
import { ControlServer } from "./server.ts";
import { controlError } from "./socket.ts";

export interface ControlSetup {
  /** The Runner's name. */
  readonly name: string;
  readonly options: Pick<ResolvedOptions, "control" | "bindRetry">;
  readonly context: PathContext;
  readonly clock: Clock;
  readonly emit: (event: ChoirEvent) => void;
}

/** What --control says to go without. */
export const CONTROL_OFF = "off";

const RETRY_EVERY_MS = 100;

/** Where this process stands, for the choice of the folder. */
export function pathContext(environment: PathContext["environment"]): PathContext {
  // Windows has no user numbers; there the package does not install.
  return { environment, uid: process.getuid?.() ?? -1, temporary: tmpdir() };
}

/** One app's control socket, from its opening to its end. */
export class Control {
  /** What happens in the supervisor, for those who watch. */
  readonly events = new EventFeed();
  readonly #setup: ControlSetup;
  #server: ControlServer | undefined;

  constructor(setup: ControlSetup) {
    this.#setup = setup;
  }

  /**
   * Opens it; resolved with the socket's path, or undefined when there is none: by --control off, or, with a warning, since no
   * folder can be had. Throws when the path that --control gives cannot be had, and when an app of the same name is running.
   */
  async open(target: Controllable): Promise<string | undefined> {
    const { control } = this.#setup.options;
    if (control === CONTROL_OFF) return undefined;
    if (control !== undefined) return this.#listen(this.#chosen(control), target);
    try {
      return await this.#listen(this.#found(), target);
    } catch (error) {
      if (!(error instanceof ChoirError) || error.code === "ERR_CHOIR_NAME_IN_USE") throw error;
      this.#setup.emit({ event: "control-unavailable", error: describeThrown(error), hint: error.hint ?? "" });
      return undefined;
    }
  }

  /** Ends it and removes the socket's file. */
  async close(): Promise<void> {
    await this.#server?.close();
  }

  /** The path that --control gives, in a folder that may be trusted. */
  #chosen(control: string): string {
    const file = chosenPath(control, this.#setup.name);
    const folder = path.dirname(file);
    const state = examineChosenFolder(folder, this.#setup.context.uid);
    if (state.kind === "absent")
      throw controlError(file, "is in a folder that does not exist", `Create it: mkdir -m 700 ${folder}`);
    if (state.kind === "unsafe") throw controlError(file, `is in a folder that ${state.why}`, state.remedy);
    return file;
  }

  /** The path in the first folder that there is, which must be one that may be trusted: to go on to the next would hide it. */
  #found(): string {
    const { name, context } = this.#setup;
    for (const folder of controlFolders(context)) {
      if (!folder.own) continue;
      makeFolder(folder);
      const file = path.join(folder.path, socketName(name));
      const state = examineFolder(folder, context.uid);
      if (state.kind === "fit") return file;
      if (state.kind === "unsafe") throw controlError(file, `is in a folder that ${state.why}`, state.remedy);
    }
    throw new ChoirError("ERR_CHOIR_CONTROL", "There is no folder for the control socket", {
      hint: "Give it a place with --control, or --control off to go without",
    });
  }

  /** Waits for a predecessor of the same name that is on its way out, as for an address in use. */
  async #listen(file: string, target: Controllable): Promise<string> {
    const { clock, options } = this.#setup;
    const deadline = clock.now() + options.bindRetry;
    for (;;) {
      const server = new ControlServer(target, { events: this.events });
      try {
        await server.listen(file);
        this.#server = server;
        return file;
      } catch (error) {
        const inUse = error instanceof ChoirError && error.code === "ERR_CHOIR_NAME_IN_USE";
        if (!inUse || clock.now() >= deadline) throw error;
        await new Promise<void>((resolve) => {
          // A timer of its own: the clock's do not keep the process alive.
          setTimeout(resolve, RETRY_EVERY_MS);
        });
      }
    }
  }
}
