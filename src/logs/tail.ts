/**
 * The last lines of the log, and those that come, for who looks in from outside. Runs in the supervisor. It copies what it keeps, so that
 * nobody's buffers live longer for it, and has a fixed size.
 */
import { countLines, type Segment } from "./encode/segment.ts";

/** Bytes that are kept: about a thousand lines. */
const KEPT_BYTES = 256 * 1024;

const LF = 0x0a;

/** Takes lines that have just been written, as whole lines; `count` tells how many they are. */
export type TailListener = (bytes: Buffer, count: () => number) => void;

export class LogTail {
  readonly #size: number;
  readonly #listeners = new Set<TailListener>();
  /** A ring, made with the first line. */
  #ring: Buffer | undefined;
  /** All bytes that ever went into it. */
  #written = 0;

  constructor(size = KEPT_BYTES) {
    this.#size = size;
  }

  /** Takes whole lines, as JSON. */
  take(segments: readonly Segment[]): void {
    for (const { bytes } of segments) {
      this.#keep(bytes);
      if (this.#listeners.size === 0) continue;
      // They go out later than this; by then the sink may have given the memory back.
      const copy = Buffer.from(bytes);
      for (const listener of this.#listeners) listener(copy, () => countLines(copy));
    }
  }

  /** The last `count` lines that are kept, each with its line break. */
  last(count: number): Buffer {
    const kept = this.#kept();
    let from = kept.length;
    // The byte before `from` is the line break of the line before it.
    for (let lines = 0; lines < count && from > 1; lines += 1) from = kept.lastIndexOf(LF, from - 2) + 1;
    return kept.subarray(from);
  }

  /** Calls back with what is written from now on, until the function it returns is called. */
  follow(listener: TailListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #keep(bytes: Buffer): void {
    const ring = (this.#ring ??= Buffer.alloc(this.#size));
    const skipped = Math.max(0, bytes.length - this.#size);
    const at = (this.#written + skipped) % this.#size;
    const copied = bytes.copy(ring, at, skipped);
    bytes.copy(ring, 0, skipped + copied);
    this.#written += bytes.length;
  }

  /** What is kept, in order, from the beginning of a line. */
  #kept(): Buffer {
    const ring = this.#ring;
    if (ring === undefined) return Buffer.alloc(0);
    const at = this.#written % this.#size;
    if (this.#written <= this.#size) return Buffer.from(ring.subarray(0, this.#written));
    const kept = Buffer.concat([ring.subarray(at), ring.subarray(0, at)]);
    // The oldest line may have lost its beginning.
    return kept.subarray(kept.indexOf(LF) + 1);
  }
}
