/** Whole lines on their way to the sinks, as bytes. Used in the supervisor. */

export interface Segment {
  /** Ends with a line break. Nobody writes into them any more. */
  readonly bytes: Buffer;
  /** Whether the lines are of level error and above; for raw output, from stderr. */
  readonly isError: boolean;
  /** The slot's number; undefined for the supervisor's own. */
  readonly instance: number | undefined;
  /** Whether their memory is theirs alone, so that who has written them may free it. */
  readonly isOwn: boolean;
}

const LF = 0x0a;

/** Whether a buffer's memory is used by no other one. */
function isWhole(bytes: Buffer): boolean {
  return bytes.length > 0 && bytes.length === bytes.buffer.byteLength;
}

/**
 * Gives a buffer's memory back at once: at the rate of a flood the garbage collector would let it grow by 64 MB and more. Node 20 cannot,
 * and there it lets it grow by less.
 */
export function free(bytes: Buffer): void {
  const memory = bytes.buffer as ArrayBufferLike & { transfer?(length: number): unknown };
  memory.transfer?.(0);
}

/** Counts the lines in bytes. Only asked for what is lost. */
export function countLines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, at + 1)) count += 1;
  return count;
}

/** Collects lines and gives them away as segments. */
export class Output {
  readonly #instance: number | undefined;
  #segments: Segment[] = [];
  #buffer = Buffer.alloc(0);
  /** What of the buffer is not in a segment yet. */
  #from = 0;
  #to = 0;
  #isError = false;

  constructor(instance: number | undefined) {
    this.#instance = instance;
  }

  /** Makes room for about that many bytes, so that a chunk's lines are in one buffer. */
  expect(bytes: number): void {
    if (this.#buffer.length - this.#to < bytes) this.#grow(bytes);
  }

  /** Adds bytes as they are, without a copy; nobody may write into them any more. */
  share(bytes: Buffer, isError: boolean): void {
    this.#cut();
    this.#segments.push({ bytes, isError, instance: this.#instance, isOwn: isWhole(bytes) });
  }

  /** Adds a line in two parts, of which `end` has the line break. */
  line(bytes: Buffer, [start, stop]: readonly [number, number], end: Buffer, isError: boolean): void {
    this.#enter(stop - start + end.length, isError);
    this.#to += bytes.copy(this.#buffer, this.#to, start, stop);
    this.#to += end.copy(this.#buffer, this.#to);
  }

  /** Adds a record's text, which has its line break. */
  text(text: string, isError: boolean): void {
    // Three bytes are the most that a UTF-16 unit becomes.
    this.#enter(3 * text.length, isError);
    this.#to += this.#buffer.write(text, this.#to);
  }

  /** Gives all that was added, in order, and forgets it. */
  take(): Segment[] {
    const isAlone = this.#from === 0;
    this.#cut(isAlone);
    const segments = this.#segments;
    this.#segments = [];
    // What is left of a buffer would keep all of it in memory.
    this.#buffer = Buffer.alloc(0);
    this.#from = this.#to = 0;
    return segments;
  }

  #enter(bytes: number, isError: boolean): void {
    if (this.#isError !== isError) {
      this.#cut();
      this.#isError = isError;
    }
    if (this.#buffer.length - this.#to < bytes) this.#grow(bytes);
  }

  #grow(bytes: number): void {
    this.#cut();
    // Not from Node's pool, whose memory others use.
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(bytes, 512));
    this.#from = this.#to = 0;
  }

  #cut(isOwn = false): void {
    if (this.#to === this.#from) return;
    const bytes = this.#buffer.subarray(this.#from, this.#to);
    this.#segments.push({ bytes, isError: this.#isError, instance: this.#instance, isOwn });
    this.#from = this.#to;
  }
}
