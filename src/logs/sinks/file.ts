/** The sink that writes into log files: one for all instances, or one for each. Runs in the supervisor. */
import type { Clock, Timer } from "../../clock.ts";
import type { Encoding } from "../encode/encoder.ts";
import { countLines, free, type Segment } from "../encode/segment.ts";
import { LogFile } from "../files/log-file.ts";
import type { LogFileOptions } from "../files/log-file-options.ts";
import { fileNameFor, isPerInstance } from "../files/names.ts";
import type { TroubleObserver } from "../files/troubles.ts";
import type { Sink, Written } from "./sink.ts";

export interface FileSinkOptions extends Omit<LogFileOptions, "file" | "observer"> {
  /** Absolute; with %name and %instance, if wanted. */
  readonly pattern: string;
  /** The Runner's name. */
  readonly name: string;
  readonly encoding: Encoding;
  /** Which lines it takes. */
  readonly takes: "all" | "errors" | "others";
  /** Bytes that may wait for a disk that is slow, and for one that fails; beyond them lines are lost and counted. */
  readonly limits: { readonly slow: number; readonly failing: number };
  readonly observer: FileSinkObserver;
}

/** Told what an operator should know. */
export interface FileSinkObserver extends TroubleObserver {
  /** Lines were left out, since the disk is too slow for them. */
  lost(file: string, lines: number): void;
  /** The program ends with lines that could not be written. */
  abandoned(file: string, lines: number): void;
}

/** How the file is called that the supervisor's own events go to, where every instance has its own. */
const SUPERVISOR = "supervisor";
/** How long `flush` waits for a disk, and how often lost lines are reported, in milliseconds. */
const FLUSH_MS = 10_000;
const REPORT_MS = 10_000;

/** Writes lines into files; a disk that is slow or full never stops the supervisor. */
export class FileSink implements Sink {
  readonly encoding: Encoding;
  onProgress: (() => void) | undefined;
  readonly #options: FileSinkOptions;
  readonly #clock: Clock;
  readonly #isPerInstance: boolean;
  readonly #files = new Map<string, LogFile>();
  #queued = 0;
  #lostLines = 0;
  #lostIn = "";
  #reportTimer: Timer | undefined;

  constructor(options: FileSinkOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#isPerInstance = isPerInstance(options.pattern);
    this.encoding = options.encoding;
  }

  /** The file's name as it was given. */
  get pattern(): string {
    return this.#options.pattern;
  }

  get backlog(): number {
    let bytes = 0;
    for (const file of this.#files.values()) if (!file.isFailing) bytes += file.queued;
    return bytes;
  }

  /** Some of its files may have room while others have none. */
  readonly isFull = false;

  lose(): void {}

  /** Opens the file of all, or the supervisor's own; rejects with the system's error. */
  async start(): Promise<void> {
    await this.#fileOf(undefined).start();
  }

  write(segments: readonly Segment[]): void {
    const { takes } = this.#options;
    for (const segment of segments) {
      if (takes === "all" || (takes === "errors") === segment.isError) this.#push(segment);
    }
  }

  written(): readonly Written[] {
    return [...this.#files.values()].map(({ name, writtenBytes }) => ({ sink: name, bytes: writtenBytes }));
  }

  async flush(): Promise<void> {
    this.#report();
    const files = [...this.#files.values()];
    await this.#within(FLUSH_MS, Promise.all(files.map((file) => file.idle())));
    for (const file of files) {
      const lines = file.unwritten();
      if (lines > 0) this.#options.observer.abandoned(file.name, lines);
    }
  }

  reopen(): void {
    for (const file of this.#files.values()) file.reopen();
  }

  #push({ bytes, instance, isOwn }: Segment): void {
    const file = this.#fileOf(instance);
    if (this.#hasRoom(file, bytes.length)) {
      this.#queued += bytes.length;
      file.push(bytes, isOwn);
      return;
    }
    if (file.isFailing) file.lose(bytes);
    else this.#lose(file, bytes);
    if (isOwn) free(bytes);
  }

  /** What fails has room of its own, so that it takes none from other instances' files. */
  #hasRoom(file: LogFile, bytes: number): boolean {
    const { slow, failing } = this.#options.limits;
    const { backlog } = this;
    return file.isFailing ? this.#queued - backlog + bytes <= failing : backlog + bytes <= slow;
  }

  #lose(file: LogFile, bytes: Buffer): void {
    this.#lostLines += countLines(bytes);
    this.#lostIn = file.name;
    this.#reportTimer ??= this.#clock.after(REPORT_MS, () => this.#report());
  }

  #report(): void {
    this.#reportTimer?.cancel();
    this.#reportTimer = undefined;
    const lines = this.#lostLines;
    this.#lostLines = 0;
    if (lines > 0) this.#options.observer.lost(this.#lostIn, lines);
  }

  async #within(ms: number, done: Promise<unknown>): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#clock.after(ms, resolve);
      void done.finally(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  #fileOf(instance: number | undefined): LogFile {
    // Where there is one file for all, it is known by the same name.
    const who = this.#isPerInstance && instance !== undefined ? String(instance) : SUPERVISOR;
    const known = this.#files.get(who);
    if (known !== undefined) return known;
    const { observer, pattern, name, ...options } = this.#options;
    const file = new LogFile({
      ...options,
      file: fileNameFor(pattern, { name, instance: who }),
      observer: {
        progress: (bytes) => this.#progress(bytes),
        failed: (path, trouble, error) => observer.failed(path, trouble, error),
        recovered: (path, trouble, facts) => observer.recovered(path, trouble, facts),
      },
    });
    this.#files.set(who, file);
    return file;
  }

  #progress(bytes: number): void {
    this.#queued -= bytes;
    this.onProgress?.();
  }
}
