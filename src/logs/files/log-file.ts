/**
 * One log file: takes whole lines, writes them in order, rotates and reopens between two of them, and outlives a disk that fails.
 * Runs in the supervisor. When to rotate is in rotation.ts, what becomes of rotated files in housekeeping.ts.
 *
 * All that touches the file is done by one loop, one step after the other. A step that fails leaves the lines in the queue.
 */
import path from "node:path";
import type { Clock, Timer } from "../../clock.ts";
import { appendLines } from "./append-lines.ts";
import { codeOf, type Disk, type OpenFile, type Ownership } from "./disk.ts";
import type { Housekeeping } from "./housekeeping.ts";
import { LineQueue } from "./line-queue.ts";
import { nextStamp, rotatedName } from "./names.ts";
import { nextBoundary, type OffsetAt } from "./rotation.ts";
import { type FileTrouble, type TroubleObserver, Troubles } from "./troubles.ts";

export interface RotationRules {
  /** Bytes; undefined does not rotate by size. */
  readonly size: number | undefined;
  /** Milliseconds; undefined does not rotate by time. */
  readonly every: number | undefined;
  readonly offsetAt: OffsetAt;
}

export interface FileObserver extends TroubleObserver {
  /** Bytes were written, or nobody has to wait for them any more. */
  progress(bytes: number): void;
}

export interface LogFileOptions {
  /** Absolute. */
  readonly file: string;
  readonly rotation: RotationRules;
  readonly ownership: Ownership;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly observer: FileObserver;
  readonly housekeeping: Housekeeping;
}

/** How much is written at once, bytes. */
const WRITE_BYTES = 1024 * 1024;
/** How often the file is looked for under its name, milliseconds: who renames or removes it without a word is noticed then. */
const LOOK_MS = 1000;
/** How long after a failure the next attempt is made, milliseconds: first and longest. */
const RETRY_MS = { first: 250, longest: 5000 } as const;
/** No timer waits longer for a boundary, milliseconds: a machine may sleep, and a clock may be set. */
const LONGEST_TIMER = 60_000;

const LINE_BREAK = Buffer.from("\n");

export class LogFile {
  readonly #options: LogFileOptions;
  readonly #queue = new LineQueue();
  readonly #troubles: Troubles;
  /** The path without symbolic links. */
  #path: string;
  #open: { readonly file: OpenFile; readonly id: string } | undefined;
  #size = 0;
  #boundary = Infinity;
  #lookAt = 0;
  #wantsReopen = false;
  #running: Promise<void> | undefined;
  #timer: Timer | undefined;
  #retryAt = 0;
  #attempts = 0;
  #rotateAfter = 0;

  constructor(options: LogFileOptions) {
    this.#options = options;
    this.#path = options.file;
    this.#troubles = new Troubles(options.file, options.clock, options.observer);
  }

  /** Absolute, as it was given. */
  get name(): string {
    return this.#options.file;
  }

  /** Bytes that wait. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Whether writing fails at present. */
  get isFailing(): boolean {
    return this.#troubles.has("write");
  }

  /** How many lines could not be written so far, of those that are not reported yet. */
  unwritten(): number {
    return this.#queue.countLines() + this.#troubles.lostLines;
  }

  /** Opens the file; rejects with the system's error. */
  async start(): Promise<void> {
    await this.#openAnew();
    this.#wake();
  }

  /** Takes whole lines; with `isOwn` their memory is freed when they are written. */
  push(bytes: Buffer, isOwn = false): void {
    this.#queue.push(bytes, isOwn);
    this.#wake();
  }

  /** Counts lines that there was no room for. */
  lose(bytes: Buffer): void {
    this.#troubles.lose(bytes);
  }

  /** Opens the file anew by its name, after what is being written. */
  reopen(): void {
    this.#wantsReopen = true;
    this.#retryAt = 0;
    this.#wake();
  }

  /** Resolves when nothing is left to do, or when it fails at one more attempt. */
  async idle(): Promise<void> {
    this.#retryAt = 0;
    this.#wake();
    while (this.#running !== undefined) await this.#running;
  }

  #wake(): void {
    if (this.#running !== undefined || this.#options.clock.now() < this.#retryAt) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      this.#plan();
      // What came in the very last moment.
      if (this.#hasWork()) this.#wake();
    });
  }

  #hasWork(): boolean {
    return this.#queue.length > 0 || this.#wantsReopen;
  }

  async #run(): Promise<void> {
    try {
      await this.#prepare();
      while (this.#hasWork()) {
        await this.#writeSome();
        await this.#prepare();
      }
      this.#succeed("write");
    } catch (error) {
      this.#postpone();
      // A file system that was mounted anew, or a lease that is gone: the next attempt begins by the name.
      await this.#close().catch(() => {});
      this.#fail("write", error);
    }
  }

  /** All that has to be done before a line may be written. */
  async #prepare(): Promise<void> {
    const { clock } = this.#options;
    if (this.#open === undefined || this.#wantsReopen) await this.#openAnew();
    else if (clock.now() >= this.#lookAt) await this.#look();
    if (clock.date() >= this.#boundary) await this.#rotateInTime();
  }

  async #openAnew(): Promise<void> {
    const { disk, file, ownership, clock, housekeeping } = this.#options;
    await this.#close();
    this.#wantsReopen = false;
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
    housekeeping.watch(this.#path, { size: () => this.#size, done: (error) => this.#kept(error) });
  }

  async #close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.file.close();
  }

  /** Sees whether the file is still the one of its name, and whether somebody has cut it. */
  async #look(): Promise<void> {
    const { disk, clock } = this.#options;
    const facts = await disk.facts(this.#path).catch(() => undefined);
    if (facts?.id === this.#open?.id) {
      this.#size = facts?.size ?? 0;
      this.#lookAt = clock.now() + LOOK_MS;
    } else {
      await this.#openAnew();
    }
  }

  async #rotateInTime(): Promise<void> {
    if (this.#size > 0) await this.#rotate();
    else this.#boundary = this.#boundaryAfter(this.#options.clock.date());
  }

  /** Gives the file the name of a rotated one, and begins another. Where that fails, lines go on into the one there is. */
  async #rotate(): Promise<void> {
    const { clock, housekeeping } = this.#options;
    if (clock.now() < this.#rotateAfter) return;
    const isOurs = await this.#rename().catch((error: unknown) => {
      this.#rotateAfter = clock.now() + RETRY_MS.longest;
      this.#fail("rotate", error);
      return undefined;
    });
    // Else it is tried again later.
    if (isOurs === undefined) return;
    this.#succeed("rotate");
    await this.#openAnew();
    if (isOurs) housekeeping.rotated(this.#path);
  }

  /** False when the file has another name already. */
  async #rename(): Promise<boolean> {
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

  #boundaryAfter(time: number): number {
    const { every, offsetAt } = this.#options.rotation;
    return every === undefined ? Infinity : nextBoundary(time, every, offsetAt);
  }

  async #writeSome(): Promise<void> {
    const { size = Infinity } = this.#options.rotation;
    const mayRotate = this.#options.clock.now() >= this.#rotateAfter;
    const room = mayRotate ? size - this.#size : Infinity;
    let parts = this.#queue.first(Math.min(room, WRITE_BYTES));
    if (parts.length === 0 && room < WRITE_BYTES && this.#size > 0) {
      await this.#rotate();
      return;
    }
    // A line longer than a file may be is a file of its own.
    if (parts.length === 0) parts = this.#queue.firstLine();
    if (this.#open === undefined) return;
    const { bytes, error } = await appendLines(this.#open.file, parts, this.#size);
    this.#advance(bytes);
    if (error !== undefined) throw error;
  }

  #advance(bytes: number): void {
    if (bytes === 0) return;
    this.#size += bytes;
    this.#queue.drop(bytes);
    this.#options.observer.progress(bytes);
  }

  /** Sets the timer for what is next without a line: another attempt, or the time to rotate. */
  #plan(): void {
    const { clock } = this.#options;
    this.#timer?.cancel();
    const isWaiting = this.#hasWork();
    if (!isWaiting && (this.#boundary === Infinity || this.#size === 0)) return;
    const ms = isWaiting ? this.#retryAt - clock.now() : this.#boundary - clock.date();
    this.#timer = clock.after(Math.min(Math.max(ms, 0), LONGEST_TIMER), () => {
      // A timer may be a fraction of a millisecond early.
      this.#retryAt = 0;
      this.#wake();
    });
  }

  #postpone(): void {
    const { clock } = this.#options;
    this.#retryAt = clock.now() + Math.min(RETRY_MS.first * 2 ** this.#attempts, RETRY_MS.longest);
    this.#attempts += 1;
  }

  #kept(error: unknown): void {
    if (error === undefined) this.#succeed("clean-up");
    else this.#fail("clean-up", error);
  }

  #fail(trouble: FileTrouble, error: unknown): void {
    this.#troubles.begin(trouble, error);
    // Nobody is to wait for it from here on.
    this.#options.observer.progress(0);
  }

  #succeed(trouble: FileTrouble): void {
    if (trouble === "write") this.#attempts = 0;
    this.#troubles.end(trouble);
  }
}

/** What was opened is a folder, a FIFO or a device. */
class NotAFileError extends Error {
  readonly code = "ENOTFILE";

  constructor(file: string) {
    super(`${file} is no regular file`);
  }
}
