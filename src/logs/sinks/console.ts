/** The sink that prints on the supervisor's own stdout: all levels, since two streams would lose the order. Runs in the supervisor. */
import type { Clock } from "../../clock.ts";
import type { Formatter, LogRecord } from "../record.ts";
import type { Sink } from "./sink.ts";

/** What the sink needs of `process.stdout`. */
export interface ConsoleStream {
  /** Bytes taken and not yet written. */
  readonly writableLength: number;
  write(text: string, done: (error?: Error | null) => void): boolean;
  on(event: "error", listener: (error: Error) => void): unknown;
}

export interface ConsoleSinkOptions {
  /** `process.stdout`: terminals and files are written at once, a pipe as fast as its reader takes it. */
  readonly stream: ConsoleStream;
  readonly format: Formatter;
  readonly clock: Clock;
  /** Bytes that may wait for a slow reader; default 64 MB. Beyond them records are left out and counted. */
  readonly limit?: number;
  /** How long `flush` waits for the reader, in milliseconds; default 2 s. */
  readonly flushTimeout?: number;
  /** Told how many records were left out, once writing works again. */
  readonly onLost?: (records: number) => void;
}

/** Failures that may pass: the next record is tried again. After any other one the reader is gone for good. */
const PASSING = new Set(["ENOSPC", "EDQUOT", "EAGAIN", "EFBIG"]);

/** Prints records; a reader that stops reading or goes away costs lines, never the supervisor. */
export class ConsoleSink implements Sink {
  readonly #stream: ConsoleStream;
  readonly #format: Formatter;
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #flushTimeout: number;
  readonly #onLost: (records: number) => void;
  #pending = 0;
  #lost = 0;
  #gone = false;
  #torn = false;
  #waiting: (() => void)[] = [];

  constructor(options: ConsoleSinkOptions) {
    this.#stream = options.stream;
    this.#format = options.format;
    this.#clock = options.clock;
    this.#limit = options.limit ?? 64 * 1024 * 1024;
    this.#flushTimeout = options.flushTimeout ?? 2000;
    this.#onLost = options.onLost ?? (() => {});
    // Without a listener the EPIPE of a reader that left would end the supervisor.
    this.#stream.on("error", (error) => this.#fail(error));
  }

  write(records: readonly LogRecord[]): void {
    if (this.#gone || records.length === 0) return;
    if (this.#stream.writableLength > this.#limit) {
      this.#lost += records.length;
      return;
    }
    // A write that failed may have left half a line behind, which would swallow the next record.
    let text = this.#torn ? "\n" : "";
    this.#torn = false;
    for (const record of records) text += this.#format(record);
    this.#pending += 1;
    try {
      this.#stream.write(text, (error) => this.#settle(records.length, error));
    } catch (error) {
      // A file's stream throws from write() on Node 20: a full disk.
      this.#settle(records.length, error);
    }
  }

  flush(): Promise<void> {
    if (this.#pending === 0 || this.#gone) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#clock.after(this.#flushTimeout, resolve);
      this.#waiting.push(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  #settle(records: number, error: unknown): void {
    this.#pending -= 1;
    const failed = error !== undefined && error !== null;
    if (failed) {
      this.#lost += records;
      this.#torn = true;
      this.#fail(error);
    }
    if (this.#pending > 0) return;
    this.#release();
    if (failed || this.#gone || this.#lost === 0) return;
    const lost = this.#lost;
    this.#lost = 0;
    this.#onLost(lost);
  }

  #fail(error: unknown): void {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (PASSING.has(code)) return;
    this.#gone = true;
    this.#release();
  }

  #release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const done of waiting) done();
  }
}
