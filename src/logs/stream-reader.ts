/** Reads one pipe of one instance until its end and makes records of it. Runs in the supervisor. */
import type { Readable } from "node:stream";
import type { Clock, Timer } from "../clock.ts";
import { ErrorJoiner } from "./errors-in-text.ts";
import { type Line, LineCutter } from "./lines.ts";
import { jsonRecord, type LogRecord, type Origin, parseFields, textRecord } from "./record.ts";

export interface StreamReaderOptions {
  readonly origin: Origin;
  readonly clock: Clock;
  readonly write: (records: readonly LogRecord[]) => void;
  /** Sees every line before it becomes part of a record; false keeps it out of the log. */
  readonly onLine?: (line: Line) => boolean;
}

/** How long the beginning of an error waits for the rest, in milliseconds. */
const HOLD = 25;

/** One pipe: chunks to lines, lines to records, all records of a chunk in one write. */
export class StreamReader {
  /** Resolves when the pipe has ended and its last record is written. */
  readonly ended: Promise<void>;
  readonly #stream: Readable;
  readonly #options: StreamReaderOptions;
  readonly #cutter: LineCutter;
  readonly #joiner: ErrorJoiner;
  readonly #onData = (chunk: Buffer): void => this.#take(chunk);
  #resolveEnded: () => void = () => {};
  #batch: LogRecord[] = [];
  #time = 0;
  #hold: Timer | undefined;
  #finished = false;

  constructor(stream: Readable, options: StreamReaderOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#cutter = new LineCutter({ onLine: (line) => this.#sort(line) });
    this.#joiner = new ErrorJoiner((passage) =>
      this.#batch.push(textRecord(passage, { origin: options.origin, time: passage.time })),
    );
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    // The pipe is always read, whatever the sinks do: the instance's end of it blocks, and requests would wait with it.
    stream.on("data", this.#onData);
    for (const name of ["end", "close", "error"]) stream.on(name, () => this.#finish());
  }

  /** Writes what is held back; a line without its end stays. */
  flush(): void {
    this.#hold?.cancel();
    this.#hold = undefined;
    this.#joiner.flush();
    this.#deliver();
  }

  /** Stops reading, as if the writer were gone. */
  close(): void {
    this.#stream.off("data", this.#onData);
    this.#finish();
    this.#stream.destroy();
  }

  #take(chunk: Buffer): void {
    this.#time = this.#options.clock.date();
    this.#cutter.push(chunk);
    this.#hold?.cancel();
    this.#hold = this.#joiner.settle() ? this.#options.clock.after(HOLD, () => this.flush()) : undefined;
    this.#deliver();
  }

  #sort(line: Line): void {
    if (this.#options.onLine?.(line) === false) return;
    const fields = parseFields(line);
    if (fields === undefined) {
      this.#joiner.push(line, this.#time);
      return;
    }
    this.#joiner.flush();
    this.#batch.push(jsonRecord(line, fields, { origin: this.#options.origin, time: this.#time }));
  }

  #deliver(): void {
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    this.#batch = [];
    this.#options.write(batch);
  }

  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#cutter.end();
    this.flush();
    this.#resolveEnded();
  }
}
