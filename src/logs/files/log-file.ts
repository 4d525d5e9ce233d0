/**
 * One log: takes whole lines, writes them in order, rotates and reopens between two of them, and outlives a disk that fails. Runs in the
 * supervisor. The file itself is in current-file.ts, when to rotate in rotation.ts, what becomes of rotated files in housekeeping.ts.
 *
 * All that touches the file is done by one loop, one step after the other. A step that fails leaves the lines in the queue.
 */
import type { Timer } from "../../clock.ts";
import { CurrentFile } from "./current-file.ts";
import type { LogFileOptions } from "./log-file-options.ts";
import { LineQueue } from "./line-queue.ts";
import { Pace, RETRY_MS } from "./pace.ts";
import { type FileTrouble, Troubles } from "./troubles.ts";

/** How much is written at once, bytes. */
const WRITE_BYTES = 1024 * 1024;
/** So many bytes are written without waiting for more. */
const WORTH_A_WRITE = 128 * 1024;
/** No timer waits longer for a boundary, milliseconds: a machine may sleep, and a clock may be set. */
const LONGEST_TIMER = 60_000;

export class LogFile {
  readonly #options: LogFileOptions;
  readonly #queue = new LineQueue();
  readonly #troubles: Troubles;
  readonly #file: CurrentFile;
  #wantsReopen = false;
  #running: Promise<void> | undefined;
  #timer: Timer | undefined;
  readonly #pace: Pace;
  #rest: Timer | undefined;
  #isUrgent = false;
  #writtenBytes = 0;
  #rotateAfter = 0;

  constructor(options: LogFileOptions) {
    this.#options = options;
    this.#file = new CurrentFile(options);
    this.#pace = new Pace(options.clock);
    this.#troubles = new Troubles(options.file, options.clock, options.observer);
  }

  /** Absolute, as it was given. */
  get name(): string {
    return this.#options.file;
  }

  /** Of all that was taken so far. */
  get writtenBytes(): number {
    return this.#writtenBytes;
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
    this.#pace.hurry();
    this.#wake();
  }

  /** Resolves when nothing is left to do, or when it fails at one more attempt. */
  async idle(): Promise<void> {
    this.#pace.hurry();
    this.#isUrgent = true;
    this.#wake();
    while (this.#running !== undefined) await this.#running;
    this.#isUrgent = false;
  }

  #wake(): void {
    if (this.#running !== undefined || this.#pace.hasFailed) return;
    const { restMs } = this.#pace;
    if (restMs > 0 && !this.#isWorthIt()) {
      this.#rest ??= this.#options.clock.after(restMs, () => this.#wakeNow());
      return;
    }
    this.#rest?.cancel();
    this.#rest = undefined;
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

  /** Whether there is something that is not to wait for more. */
  #isWorthIt(): boolean {
    return this.#isUrgent || this.#wantsReopen || this.#queue.length >= WORTH_A_WRITE;
  }

  async #run(): Promise<void> {
    try {
      await this.#prepare();
      for (let left = this.#queue.length; left > 0 || this.#isWorthIt();) {
        if (!this.#hasWork()) break;
        const before = this.#writtenBytes;
        await this.#writeSome();
        left -= this.#writtenBytes - before;
        await this.#prepare();
      }
      this.#pace.succeeded();
      this.#succeed("write");
    } catch (error) {
      this.#pace.failed();
      // A file system that was mounted anew, or a lease that is gone: the next attempt begins by the name.
      await this.#file.close().catch(() => {});
      this.#fail("write", error);
    }
  }

  /** All that has to be done before a line may be written. */
  async #prepare(): Promise<void> {
    if (!this.#file.isOpen || this.#wantsReopen || !(await this.#file.isInPlace())) await this.#openAnew();
    if (this.#options.clock.date() >= this.#file.boundary) await this.#rotateInTime();
  }

  async #openAnew(): Promise<void> {
    const file = this.#file;
    await file.close();
    this.#wantsReopen = false;
    await file.open();
    this.#options.housekeeping.watch(file.path, { size: () => file.size, done: (error) => this.#kept(error) });
  }

  async #rotateInTime(): Promise<void> {
    if (this.#file.size > 0) await this.#rotate();
    else this.#file.skipBoundary();
  }

  /** Gives the file the name of a rotated one, and begins another. Where that fails, lines go on into the one there is. */
  async #rotate(): Promise<void> {
    const { clock, housekeeping } = this.#options;
    if (clock.now() < this.#rotateAfter) return;
    const isOurs = await this.#file.rename().catch((error: unknown) => {
      this.#rotateAfter = clock.now() + RETRY_MS.longest;
      this.#fail("rotate", error);
      return undefined;
    });
    // Else it is tried again later.
    if (isOurs === undefined) return;
    this.#succeed("rotate");
    await this.#openAnew();
    if (isOurs) housekeeping.rotated(this.#file.path);
  }

  async #writeSome(): Promise<void> {
    const { size = Infinity } = this.#options.rotation;
    const mayRotate = this.#options.clock.now() >= this.#rotateAfter;
    const room = mayRotate ? size - this.#file.size : Infinity;
    let parts = this.#queue.first(Math.min(room, WRITE_BYTES));
    if (parts.length === 0 && room < WRITE_BYTES && this.#file.size > 0) {
      await this.#rotate();
      return;
    }
    // A line longer than a file may be is a file of its own.
    if (parts.length === 0) parts = this.#queue.firstLine();
    const { bytes, error } = await this.#file.append(parts);
    this.#advance(bytes);
    if (error !== undefined) throw error;
  }

  #advance(bytes: number): void {
    if (bytes === 0) return;
    this.#writtenBytes += bytes;
    this.#queue.drop(bytes);
    this.#options.observer.progress(bytes);
  }

  /** Sets the timer for what is next without a line: another attempt, or the time to rotate. */
  #plan(): void {
    const { clock } = this.#options;
    this.#timer?.cancel();
    const isWaiting = this.#hasWork();
    const { boundary, size } = this.#file;
    if (!isWaiting && (boundary === Infinity || size === 0)) return;
    const ms = isWaiting ? this.#pace.waitMs : boundary - clock.date();
    this.#timer = clock.after(Math.min(Math.max(ms, 0), LONGEST_TIMER), () => this.#wakeNow());
  }

  /** For timers, which may be a fraction of a millisecond early. */
  #wakeNow(): void {
    this.#pace.hurry();
    this.#wake();
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
    this.#troubles.end(trouble);
  }
}
