/** The sink that prints on the supervisor's own stdout: all levels, since two streams would lose the order. Runs in the supervisor. */
import type { Clock, Timer } from "../../clock.ts";
import type { Encoding } from "../encode/encoder.ts";
import { countLines, free, type Segment } from "../encode/segment.ts";
import type { Sink, Written } from "./sink.ts";

/** What the sink needs of `process.stdout`. */
export interface ConsoleStream {
  /** Bytes taken and not yet written. */
  readonly writableLength: number;
  write(bytes: Buffer, done: (error?: Error | null) => void): boolean;
  on(event: "error", listener: (error: Error) => void): unknown;
}

export interface ConsoleSinkOptions {
  /** `process.stdout`: terminals and files are written at once, a pipe as fast as its reader takes it. */
  readonly stream: ConsoleStream;
  readonly encoding: Encoding;
  readonly clock: Clock;
  /** Bytes that may wait for a slow reader; default 8 MB. Beyond them lines are left out and counted. */
  readonly limit?: number;
  /** How long `flush` waits for the reader, in milliseconds; default 2 s. */
  readonly flushTimeout?: number;
  /** Told how many lines were left out, once writing works again, and every 10 s until then. */
  readonly onLost?: (lines: number) => void;
}

/** Failures that may pass: the next lines are tried again. After any other one the reader is gone for good. */
const PASSING = new Set(["ENOSPC", "EDQUOT", "EAGAIN", "EFBIG"]);

/** How long lines may be lost before it is said, at the latest, in milliseconds. */
const REPORT_MS = 10_000;
const LINE_BREAK = Buffer.from("\n");

/** Prints lines; a reader that stops reading or goes away costs lines, never the supervisor. */
export class ConsoleSink implements Sink {
  readonly encoding: Encoding;
  onProgress: (() => void) | undefined;
  readonly #stream: ConsoleStream;
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #flushTimeout: number;
  readonly #onLost: (lines: number) => void;
  #pending = 0;
  #writtenBytes = 0;
  #lost = 0;
  #isReporting = false;
  #reportTimer: Timer | undefined;
  #gone = false;
  #torn = false;
  #waiting: (() => void)[] = [];

  constructor(options: ConsoleSinkOptions) {
    this.#stream = options.stream;
    this.encoding = options.encoding;
    this.#clock = options.clock;
    this.#limit = options.limit ?? 8 * 1024 * 1024;
    this.#flushTimeout = options.flushTimeout ?? 2000;
    this.#onLost = options.onLost ?? (() => {});
    // Without a listener the EPIPE of a reader that left would end the supervisor.
    this.#stream.on("error", (error) => this.#fail(error));
  }

  get backlog(): number {
    return this.#gone ? 0 : this.#stream.writableLength;
  }

  get isFull(): boolean {
    return !this.#gone && this.#stream.writableLength > this.#limit;
  }

  lose(lines: number): void {
    this.#lost += lines;
    this.#reportTimer ??= this.#clock.after(REPORT_MS, () => this.#report());
  }

  write(segments: readonly Segment[]): void {
    if (this.#gone) return;
    if (this.isFull && !this.#isReporting) {
      this.lose(linesIn(segments));
      freeOwn(segments);
      return;
    }
    const parts = segments.map(({ bytes }) => bytes);
    // A write that failed may have left half a line behind, which would swallow the next one.
    if (this.#torn) parts.unshift(LINE_BREAK);
    this.#torn = false;
    const [only] = parts;
    const bytes = parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
    this.#pending += 1;
    try {
      this.#stream.write(bytes, (error) => this.#settle(segments, error));
    } catch (error) {
      // A file's stream throws from write() on Node 20: a full disk.
      this.#settle(segments, error);
    }
  }

  written(): readonly Written[] {
    return [{ sink: "console", bytes: this.#writtenBytes }];
  }

  flush(): Promise<void> {
    if (!this.#gone) this.#report();
    if (this.#pending === 0 || this.#gone) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#clock.after(this.#flushTimeout, resolve);
      this.#waiting.push(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  #settle(segments: readonly Segment[], error: unknown): void {
    this.#pending -= 1;
    const failed = error !== undefined && error !== null;
    if (failed) {
      this.#lost += linesIn(segments);
      this.#torn = true;
      this.#fail(error);
    } else {
      // Before their memory is given back.
      for (const { bytes } of segments) this.#writtenBytes += bytes.length;
    }
    freeOwn(segments);
    this.onProgress?.();
    if (this.#pending > 0) return;
    this.#release();
    if (!failed && !this.#gone) this.#report();
  }

  /** Says what is lost, for which there is room always. */
  #report(): void {
    this.#reportTimer?.cancel();
    this.#reportTimer = undefined;
    if (this.#lost === 0) return;
    const lost = this.#lost;
    this.#lost = 0;
    this.#isReporting = true;
    this.#onLost(lost);
    this.#isReporting = false;
  }

  #fail(error: unknown): void {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (PASSING.has(code)) return;
    this.#gone = true;
    this.#release();
    this.onProgress?.();
  }

  #release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const done of waiting) done();
  }
}

function freeOwn(segments: readonly Segment[]): void {
  for (const { bytes, isOwn } of segments) if (isOwn) free(bytes);
}

function linesIn(segments: readonly Segment[]): number {
  let count = 0;
  for (const { bytes } of segments) count += countLines(bytes);
  return count;
}
