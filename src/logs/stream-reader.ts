/** Reads one pipe of one instance until its end and has its lines encoded for every kind of sink. Runs in the supervisor. */
import { Socket } from "node:net";
import type { Readable } from "node:stream";
import type { Clock, Timer } from "../clock.ts";
import type { LogCounts } from "./counts.ts";
import { createEncoder, type Encoder, type EncoderOptions, type Encoding } from "./encode/encoder.ts";
import { free, type Segment } from "./encode/segment.ts";
import { LineCutter, type LineTaker, type OddLine } from "./lines.ts";
import type { Origin } from "./record.ts";
import type { StderrWatch } from "./stderr-watch.ts";

/** What is the same for all pipes. */
export interface ReadingRules {
  readonly clock: Clock;
  /** One encoder is made for each. */
  readonly encodings: readonly Encoding[];
  /** Takes what came in one chunk. */
  readonly write: (encoding: Encoding, segments: readonly Segment[]) => void;
  /** Counts lines as lost where no sink has room for any; false where one has. Spares the work, and above all the memory. */
  readonly loseAll: (bytes: Buffer) => boolean;
  /** The longest line, in bytes. */
  readonly lineLimit: number;
  readonly threshold: EncoderOptions["threshold"];
  readonly counts: Pick<LogCounts, "add" | "cut">;
}

export interface StreamReaderOptions extends ReadingRules {
  readonly origin: Origin;
  /** For stderr. */
  readonly watch?: StderrWatch;
}

/** How long the beginning of an error waits for the rest, in milliseconds. */
const HOLD = 25;

/** So many chunks in so many milliseconds are a flood; then nothing is read for a while. */
const FLOOD = { chunks: 4, ms: 2 } as const;
const REST_MS = 1;

/** One pipe: chunks to lines, lines to bytes, all of a chunk in one write. */
export class StreamReader implements LineTaker {
  /** Resolves when the pipe has ended and its last line is written. */
  readonly ended: Promise<void>;
  readonly #stream: Readable;
  readonly #options: StreamReaderOptions;
  readonly #cutter: LineCutter;
  readonly #encoders: readonly (readonly [Encoding, Encoder])[];
  readonly #onData = (chunk: Buffer): void => this.#take(chunk);
  #resolveEnded: () => void = () => {};
  #hold: Timer | undefined;
  /** Each chunk of a pipe has memory of its own, on Node 26 more than it fills. Raw lines are not copied: their sink frees them. */
  readonly #ownsChunks: boolean;
  #isPaused = false;
  #rest: Timer | undefined;
  /** Since when chunks are counted, and how many have come. */
  #since = 0;
  #chunks = 0;
  #finished = false;

  constructor(stream: Readable, options: StreamReaderOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#cutter = new LineCutter(this, options.lineLimit);
    this.#encoders = options.encodings.map((encoding) => [encoding, createEncoder(encoding, options)]);
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#ownsChunks = stream instanceof Socket && !options.encodings.includes("raw");
    readNothingAhead(stream);
    stream.on("data", this.#onData);
    for (const name of ["end", "close", "error"]) stream.on(name, () => this.#finish());
  }

  /** Stops reading for a while: the instance's end of the pipe blocks when the pipe is full. */
  pause(): void {
    this.#isPaused = true;
    if (!this.#finished) this.#stream.pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (!this.#finished && this.#rest === undefined) this.#stream.resume();
  }

  /** Writes what is held back; a line without its end stays. */
  flush(): void {
    this.#hold?.cancel();
    this.#hold = undefined;
    for (const [, encoder] of this.#encoders) encoder.release();
    this.#deliver();
  }

  /** Stops reading, as if the writer were gone. */
  close(): void {
    this.#stream.off("data", this.#onData);
    this.#finish();
    this.#stream.destroy();
  }

  lines(bytes: Buffer, start: number, end: number): void {
    const { watch } = this.#options;
    if (watch === undefined) this.#encode(bytes, start, end);
    else watch.lines(bytes, [start, end], (from, until) => this.#encode(bytes, from, until));
  }

  odd(line: OddLine): void {
    if (this.#options.watch?.line(line.bytes) === false) return;
    if (line.cutBytes > 0) this.#options.counts.cut += 1;
    for (const [, encoder] of this.#encoders) encoder.odd(line);
  }

  #encode(bytes: Buffer, start: number, end: number): void {
    if (this.#options.loseAll(bytes.subarray(start, end))) return;
    for (const [, encoder] of this.#encoders) encoder.lines(bytes, start, end);
  }

  #take(chunk: Buffer): void {
    const { clock } = this.#options;
    const time = clock.date();
    for (const [, encoder] of this.#encoders) encoder.time = time;
    this.#cutter.push(chunk);
    this.#hold?.cancel();
    this.#hold = this.#settle() ? clock.after(HOLD, () => this.flush()) : undefined;
    this.#deliver();
    if (this.#ownsChunks && chunk.byteOffset === 0) free(chunk);
    this.#restInFlood();
  }

  /** Lets a flood of single lines collect in the pipe: a millisecond's are read at hardly more cost than one. */
  #restInFlood(): void {
    const { clock } = this.#options;
    const now = clock.now();
    if (now - this.#since > FLOOD.ms) {
      this.#since = now;
      this.#chunks = 0;
    }
    this.#chunks += 1;
    if (this.#chunks < FLOOD.chunks || this.#finished) return;
    this.#stream.pause();
    this.#rest ??= clock.after(REST_MS, () => {
      this.#rest = undefined;
      if (!this.#isPaused && !this.#finished) this.#stream.resume();
    });
  }

  #settle(): boolean {
    let isHeld = false;
    for (const [, encoder] of this.#encoders) isHeld = encoder.settle() || isHeld;
    return isHeld;
  }

  #deliver(): void {
    for (const [encoding, encoder] of this.#encoders) {
      const segments = encoder.take();
      if (segments.length > 0) this.#options.write(encoding, segments);
    }
  }

  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#rest?.cancel();
    this.#cutter.end();
    this.flush();
    this.#resolveEnded();
  }
}

/**
 * A stream that is paused reads on until it holds as much as its high-water mark, line by line: what the rest is to spare. Node has no
 * public way to change the mark of a child's pipe; without it the rest only spares less.
 */
function readNothingAhead(stream: Readable): void {
  const { _readableState: state } = stream as { _readableState?: { highWaterMark?: number } };
  if (state?.highWaterMark !== undefined) state.highWaterMark = 1;
}
