/** The last values of topics, for those who subscribe later. Runs in the supervisor. */
import { FLAG, HEAD_BYTES, type FrameReader } from "./frames.ts";
import { hasWildcard, matches } from "./topics.ts";

export interface RetainedLimits {
  /** How many values are kept. */
  readonly maxRetained: number;
  /** How many bytes they may have together. */
  readonly maxRetainedBytes: number;
}

export class RetainedStore {
  readonly #limits: RetainedLimits;
  readonly #frames = new Map<string, Buffer>();
  #bytes = 0;

  constructor(limits: RetainedLimits) {
    this.#limits = limits;
  }

  /** How many values are kept. */
  get size(): number {
    return this.#frames.size;
  }

  /** How many bytes they have together, as frames. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps a copy of the message that the reader stands on; when a limit forbids it, says so and keeps what there was. */
  put(topic: string, { buffer, start, end }: FrameReader): string | undefined {
    const { maxRetained, maxRetainedBytes } = this.#limits;
    const old = this.#frames.get(topic);
    if (old === undefined && this.#frames.size >= maxRetained) {
      return `Value of topic "${topic}" cannot be retained: ${maxRetained} values are, which is the limit`;
    }
    const bytes = this.#bytes - (old?.length ?? 0) + end - start;
    if (bytes > maxRetainedBytes) {
      return `Value of topic "${topic}" cannot be retained: all values together would be ${bytes} bytes, the limit is ${maxRetainedBytes}`;
    }
    // Not from the pool: a small value would keep 8 KB alive.
    const copy = Buffer.allocUnsafeSlow(end - start);
    buffer.copy(copy, 0, start, end);
    copy[HEAD_BYTES] = (copy[HEAD_BYTES] ?? 0) | FLAG.retained;
    this.#frames.set(topic, copy);
    this.#bytes = bytes;
    return undefined;
  }

  /** Forgets a topic's value. */
  delete(topic: string): void {
    this.#bytes -= this.#frames.get(topic)?.length ?? 0;
    this.#frames.delete(topic);
  }

  /** The frames, marked as retained, of all topics that match; never changed afterwards. */
  matching(pattern: string): Buffer[] {
    if (!hasWildcard(pattern)) {
      const frame = this.#frames.get(pattern);
      return frame === undefined ? [] : [frame];
    }
    const found: Buffer[] = [];
    for (const [topic, frame] of this.#frames) {
      if (matches(pattern, topic)) found.push(frame);
    }
    return found;
  }
}
