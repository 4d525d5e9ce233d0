/** Cuts the byte stream of one instance's stdout or stderr into lines. Runs in the supervisor; pure: no stream, no clock. */

/** A line that is not as its writer meant it, without its line break. */
export interface OddLine {
  /** Valid during the call only. */
  readonly bytes: Buffer;
  /** How many bytes beyond the limit were left out. */
  readonly cutBytes: number;
  /** Whether its writer was gone before it wrote the line break. */
  readonly partial: boolean;
}

/** One line of output as text, without its line break. */
export interface Line {
  readonly text: string;
  /** How many bytes beyond the limit were left out; 0 for nearly all. */
  readonly cutBytes: number;
  readonly partial: boolean;
}

/** What takes the lines. */
export interface LineTaker {
  /** One or more whole lines within the limit, each with its line break: the bytes from `start` to `end`, which stay as they are. */
  lines(bytes: Buffer, start: number, end: number): void;
  /** A line that was cut or not finished. */
  odd(line: OddLine): void;
}

/** The longest line that is kept whole, in bytes. */
export const LINE_LIMIT = 64 * 1024;

const LF = 0x0a;
const CR = 0x0d;

/** Finds lines in chunks; how the bytes were split into chunks never shows. */
export class LineCutter {
  readonly #taker: LineTaker;
  readonly #limit: number;
  /** The beginning of a line whose end has not come yet: bytes, since a chunk may end inside a character. */
  #held = Buffer.alloc(0);
  /** Bytes of that line so far, those left out too. */
  #length = 0;
  #last = 0;

  /** `limit` is the longest line in bytes; what is beyond is counted and left out. */
  constructor(taker: LineTaker, limit: number = LINE_LIMIT) {
    this.#taker = taker;
    this.#limit = limit;
  }

  /** Takes the next bytes and hands on every line that they complete. Nothing may write into the chunk afterwards. */
  push(chunk: Buffer): void {
    let start = 0;
    if (this.#length > 0) {
      const end = chunk.indexOf(LF);
      this.#hold(chunk, 0, end === -1 ? chunk.length : end);
      if (end === -1) return;
      this.#release(false);
      start = end + 1;
    }
    const end = chunk.lastIndexOf(LF) + 1;
    // Nearly always the whole chunk is shorter than the limit, and where its lines begin is nobody's business here.
    if (end - start > this.#limit + 1) this.#each(chunk, start, end);
    else if (end > start) this.#taker.lines(chunk, start, end);
    this.#hold(chunk, Math.max(start, end), chunk.length);
  }

  /** Hands on what is left when the writer is gone, marked as partial. */
  end(): void {
    if (this.#length > 0) this.#release(true);
  }

  /** Hands on lines of which some may be too long. */
  #each(chunk: Buffer, from: number, until: number): void {
    let good = from;
    for (let start = from; start < until;) {
      const end = chunk.indexOf(LF, start);
      if (end - start > this.#limit) {
        if (start > good) this.#taker.lines(chunk, good, start);
        this.#hold(chunk, start, end);
        this.#release(false);
        good = end + 1;
      }
      start = end + 1;
    }
    if (until > good) this.#taker.lines(chunk, good, until);
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
    const written = this.#length;
    const length = !partial && this.#last === CR ? written - 1 : written;
    this.#length = 0;
    if (length > this.#limit || partial) {
      const kept = length <= this.#limit ? length : this.#boundary();
      this.#taker.odd({ bytes: this.#held.subarray(0, kept), cutBytes: length - kept, partial });
      return;
    }
    const whole = Buffer.allocUnsafe(written + 1);
    this.#held.copy(whole, 0, 0, written);
    whole[written] = LF;
    this.#taker.lines(whole, 0, written + 1);
  }

  /** Where to cut so that no character is halved. */
  #boundary(): number {
    for (let at = this.#limit; at > this.#limit - 4 && at > 0; at -= 1) {
      if (((this.#held[at] ?? 0) & 0xc0) !== 0x80) return at;
    }
    return this.#limit;
  }
}

/** Calls `take` with the borders of every line among `bytes` from `start` to `end`; LF or CRLF is between `stop` and `next`. */
export function eachLine(
  bytes: Buffer,
  [start, end]: readonly [number, number],
  take: (start: number, stop: number, next: number) => void,
): void {
  for (let from = start; from < end;) {
    const at = bytes.indexOf(LF, from);
    take(from, at > from && bytes[at - 1] === CR ? at - 1 : at, at + 1);
    from = at + 1;
  }
}
