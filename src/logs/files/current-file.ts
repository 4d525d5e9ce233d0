/**
 * The file that a log goes to at present: opened by its name, looked for under it, and renamed when it is full. Runs in the supervisor;
 * it knows nothing of the lines that wait, and its steps must not overlap: log-file.ts does one after the other.
 */
import path from "node:path";
import { type Appended, appendLines } from "./append-lines.ts";
import { codeOf, type OpenFile } from "./disk.ts";
import type { LogFileOptions } from "./log-file-options.ts";
import { nextStamp, rotatedName } from "./names.ts";
import { nextBoundary } from "./rotation.ts";

/** How often the file is looked for under its name, milliseconds: who renames or removes it without a word is noticed then. */
const LOOK_MS = 1000;
const LINE_BREAK = Buffer.from("\n");

type Options = Omit<LogFileOptions, "observer">;

export class CurrentFile {
  readonly #options: Options;
  #path: string;
  #open: { readonly file: OpenFile; readonly id: string } | undefined;
  #size = 0;
  #boundary = Infinity;
  #lookAt = 0;

  constructor(options: Options) {
    this.#options = options;
    this.#path = options.file;
  }

  /** Without symbolic links, as of the last opening. */
  get path(): string {
    return this.#path;
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** Bytes. */
  get size(): number {
    return this.#size;
  }

  /** When it has to be rotated, by `Clock.date()`; Infinity when time does not matter. */
  get boundary(): number {
    return this.#boundary;
  }

  /** Opens the file of that name; one that was open has to be closed before. */
  async open(): Promise<void> {
    const { disk, file, ownership, clock } = this.#options;
    this.#path = await disk.resolve(file);
    const opened = await disk.openLog(this.#path, ownership);
    try {
      const { id, size, isFile, modifiedAt } = await opened.facts();
      if (!isFile) throw new NotAFileError(file);
      this.#size = size;
      if (!(await opened.endsClean(size))) this.#size += await opened.append([LINE_BREAK]);
      this.#open = { file: opened, id };
      this.#lookAt = clock.now() + LOOK_MS;
      // What it holds may be of a time that is over: then it is rotated before the next line.
      this.#boundary = this.#boundaryAfter(size === 0 ? clock.date() : Math.min(modifiedAt, clock.date()));
    } catch (error) {
      await opened.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.file.close();
  }

  /** Once a second: whether it is still the one of its name. Sees as well whether somebody has cut it. */
  async isInPlace(): Promise<boolean> {
    const { disk, clock } = this.#options;
    if (clock.now() < this.#lookAt) return true;
    const facts = await disk.facts(this.#path).catch(() => undefined);
    if (facts?.id !== this.#open?.id) return false;
    this.#size = facts?.size ?? 0;
    this.#lookAt = clock.now() + LOOK_MS;
    return true;
  }

  /** Gives it the name of a rotated one; false when it has another name already. */
  async rename(): Promise<boolean> {
    const { disk, clock, housekeeping } = this.#options;
    const facts = await disk.facts(this.#path);
    if (facts?.id !== this.#open?.id) return false;
    const stamp = nextStamp(clock.date(), await housekeeping.newest(this.#path));
    const target = path.join(path.dirname(this.#path), rotatedName(this.#path, stamp));
    const isGone = await disk.rename(this.#path, target).then(
      () => false,
      (error: unknown) => {
        if (codeOf(error) === "ENOENT") return true;
        throw error;
      },
    );
    // Renamed by somebody else, a moment ago.
    if (isGone) return false;
    housekeeping.named(this.#path, stamp);
    return true;
  }

  /** An empty file is not rotated: the next boundary is the one after now. */
  skipBoundary(): void {
    this.#boundary = this.#boundaryAfter(this.#options.clock.date());
  }

  /** Appends whole lines, or as many as there is room for; none where it is not open. */
  async append(parts: readonly Buffer[]): Promise<Appended> {
    if (this.#open === undefined) return { bytes: 0 };
    const appended = await appendLines(this.#open.file, parts, this.#size);
    this.#size += appended.bytes;
    return appended;
  }

  #boundaryAfter(time: number): number {
    const { every, offsetAt } = this.#options.rotation;
    return every === undefined ? Infinity : nextBoundary(time, every, offsetAt);
  }
}

/** What was opened is a folder, a FIFO or a device. */
class NotAFileError extends Error {
  readonly code = "ENOTFILE";

  constructor(file: string) {
    super(`${file} is no regular file`);
  }
}
