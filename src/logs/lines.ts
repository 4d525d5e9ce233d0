/** Cuts the byte stream of one instance's stdout or stderr into lines. Runs in the supervisor; pure: no stream, no clock. */

/** One line of output, without its line break. */
export interface Line {
  readonly text: string;
  /** How many bytes beyond the limit were left out; 0 for nearly all. */
  readonly cutBytes: number;
  /** Whether its writer was gone before it wrote the line break. */
  readonly partial: boolean;
}

export interface LineCutterOptions {
  readonly onLine: (line: Line) => void;
  /** The longest line, in bytes; default 64 KB. What is beyond is counted and left out. */
  readonly limit?: number;
}

/** The longest line that is kept whole, in bytes. */
const LINE_LIMIT = 64 * 1024;

const LF = 0x0a;
const CR = 0x0d;

/** Makes lines of chunks; how the bytes were split into chunks never shows. */
export class LineCutter {
  readonly #onLine: (line: Line) => void;
  readonly #limit: number;
  /** The beginning of a line whose end has not come yet: bytes, since a chunk may end inside a character. */
  #held = Buffer.alloc(0);
  /** Bytes of that line so far, those left out too. */
  #length = 0;
  #last = 0;

  constructor({ onLine, limit = LINE_LIMIT }: LineCutterOptions) {
    this.#onLine = onLine;
    this.#limit = limit;
  }

  /** Takes the next bytes and reports every line that they complete. The chunk may be reused afterwards. */
  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      if (this.#length > 0 || end - start > this.#limit) {
        this.#hold(chunk, start, end);
        this.#release(false);
      } else {
        const stop = end > start && chunk[end - 1] === CR ? end - 1 : end;
        this.#onLine({ text: chunk.toString("utf8", start, stop), cutBytes: 0, partial: false });
      }
      start = end + 1;
    }
    this.#hold(chunk, start, chunk.length);
  }

  /** Reports what is left when the writer is gone, marked as partial. */
  end(): void {
    if (this.#length > 0) this.#release(true);
  }

  #hold(chunk: Buffer, start: number, end: number): void {
    if (start === end) return;
    // One byte more than the limit: it may be the CR of a line that is just as long as allowed.
    const wanted = Math.min(this.#length + end - start, this.#limit + 1);
    if (wanted > this.#held.length) this.#grow(wanted);
    if (wanted > this.#length) chunk.copy(this.#held, this.#length, start, start + wanted - this.#length);
    this.#length += end - start;
    this.#last = chunk[end - 1] ?? 0;
  }

  #grow(wanted: number): void {
    const grown = Buffer.allocUnsafe(Math.min(Math.max(wanted, 2 * this.#held.length, 256), this.#limit + 1));
    this.#held.copy(grown, 0, 0, this.#length);
    this.#held = grown;
  }

  #release(partial: boolean): void {
    const length = !partial && this.#last === CR ? this.#length - 1 : this.#length;
    const kept = length <= this.#limit ? length : this.#boundary();
    this.#length = 0;
    this.#onLine({ text: this.#held.toString("utf8", 0, kept), cutBytes: length - kept, partial });
  }

  /** Where to cut so that no character is halved. */
  #boundary(): number {
    for (let at = this.#limit; at > this.#limit - 4 && at > 0; at -= 1) {
      if (((this.#held[at] ?? 0) & 0xc0) !== 0x80) return at;
    }
    return this.#limit;
  }
}
