/**
 * `choir start --watch`: a rolling restart when a file changes that the instances have imported, which node itself reports for its own
 * --watch. Runs in the supervisor.
 */
import { existsSync, type FSWatcher, watch } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Clock, Timer } from "../clock.ts";
import type { Child } from "./child.ts";

export interface FileWatchSetup {
  /** Files that are watched whether or not they are imported. */
  readonly files: readonly string[];
  readonly clock: Clock;
}

/** How long a folder must be quiet: editors write a file in several steps, and build tools many files. In milliseconds. */
const QUIET_MS = 100;

export class FileWatch {
  readonly #clock: Clock;
  readonly #files = new Set<string>();
  readonly #folders = new Map<string, FSWatcher>();
  /** Folders that are to be watched as soon as there are. */
  readonly #missing = new Set<string>();
  readonly #changes = new Set<string>();
  #quiet: Timer | undefined;
  #changed: (files: readonly string[]) => void = () => {};

  constructor({ files, clock }: FileWatchSetup) {
    this.#clock = clock;
    for (const file of files) this.#add(file);
  }

  /** Calls the listener with the files that have changed, once they have been quiet for a moment. */
  onChange(listener: (files: readonly string[]) => void): void {
    this.#changed = listener;
  }

  /** Watches what an instance imports from now on. */
  attach(child: Pick<Child, "onImported">): void {
    child.onImported((module) => {
      const file = fileOf(module);
      if (file !== undefined && !file.includes(`${path.sep}node_modules${path.sep}`)) this.#add(file);
    });
  }

  close(): void {
    this.#quiet?.cancel();
    for (const watcher of this.#folders.values()) watcher.close();
    this.#folders.clear();
    this.#missing.clear();
  }

  #add(file: string): void {
    this.#files.add(file);
    this.#watchFolder(path.dirname(file));
  }

  /** The folder, since editors put a new file in the place of the old one. */
  #watchFolder(folder: string): void {
    if (this.#folders.has(folder)) return;
    try {
      const watcher = watch(folder, { persistent: false }, (event, name) => {
        if (name !== null) this.#note(path.join(folder, name));
        // Its own name: it was taken away or moved, as by a checkout of other code, and is not heard of any more.
        if (event === "rename") this.#renamed(folder, name === path.basename(folder));
      });
      watcher.on("error", () => this.#lose(folder));
      this.#folders.set(folder, watcher);
    } catch {
      this.#await(folder);
    }
  }

  #renamed(folder: string, isItself: boolean): void {
    if (isItself || !existsSync(folder)) this.#lose(folder);
    for (const missing of this.#missing) {
      if (!existsSync(missing)) continue;
      this.#missing.delete(missing);
      this.#watchFolder(missing);
      // What was written into it before nobody has heard of.
      for (const file of this.#files) if (path.dirname(file) === missing && existsSync(file)) this.#note(file);
    }
  }

  #lose(folder: string): void {
    this.#folders.get(folder)?.close();
    this.#folders.delete(folder);
    this.#await(folder);
  }

  /** Waits in the folder above for one that is not there. */
  #await(folder: string): void {
    const above = path.dirname(folder);
    if (above === folder) return;
    this.#missing.add(folder);
    this.#watchFolder(above);
  }

  #note(file: string): void {
    if (!this.#files.has(file)) return;
    this.#changes.add(file);
    this.#quiet?.cancel();
    this.#quiet = this.#clock.after(QUIET_MS, () => {
      const changes = [...this.#changes];
      this.#changes.clear();
      this.#changed(changes);
    });
  }
}

/** Node reports modules by URL or by path, its own ones by name. */
function fileOf(module: string): string | undefined {
  if (path.isAbsolute(module)) return module;
  return module.startsWith("file://") ? fileURLToPath(module.replace(/[?#].*$/, "")) : undefined;
}
