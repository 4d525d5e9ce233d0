/**
 * Takes each message of other machines once: not what this supervisor sent itself, not what came over a second subscription or was
 * sent anew, and values in parts when they are whole. Runs in the supervisor; pure.
 */
import { MAX_VALUE_BYTES } from "../frames.ts";
import { MARK, type Envelope } from "./envelope.ts";

/** How far the messages of one supervisor have come. */
interface Progress {
  sequence: number;
  part: number;
  /** The parts of a value that is not whole yet. */
  gathered: Buffer[];
}

/** Supervisors that are remembered; beyond it the one that was met first is forgotten. */
const MAX_ORIGINS = 1000;

export class Incoming {
  readonly #self: string;
  readonly #maxBytes: number;
  readonly #progress = new Map<string, Progress>();

  /** `maxBytes` is how long what came in parts may be. */
  constructor(self: string, maxBytes: number = MAX_VALUE_BYTES) {
    this.#self = self;
    this.#maxBytes = maxBytes;
  }

  /** The whole message, when this envelope completes one that was not taken before. */
  take(envelope: Envelope): Envelope | undefined {
    const { origin, sequence, part } = envelope;
    if (origin === this.#self) return undefined;
    const known = this.#progress.get(origin);
    const progress = known ?? { sequence: -1, part: 0, gathered: [] };
    if (sequence < progress.sequence || (sequence === progress.sequence && part <= progress.part)) return undefined;
    if (known === undefined && this.#progress.size >= MAX_ORIGINS) this.#forgetOne();
    this.#progress.set(origin, progress);
    if (sequence !== progress.sequence) progress.gathered = [];
    progress.sequence = sequence;
    progress.part = part;
    if ((envelope.marks & MARK.parts) === 0) return envelope;
    return this.#join(envelope, progress);
  }

  #forgetOne(): void {
    const [first] = this.#progress.keys();
    if (first !== undefined) this.#progress.delete(first);
  }

  #join(envelope: Envelope, progress: Progress): Envelope | undefined {
    const { part, parts, payload } = envelope;
    // A part is missing, or the whole is longer than it may be.
    const bytes = progress.gathered.reduce((sum, each) => sum + each.length, payload.length);
    if (part !== progress.gathered.length || bytes > this.#maxBytes) {
      progress.gathered = [];
      return undefined;
    }
    progress.gathered.push(Buffer.from(payload));
    if (part < parts - 1) return undefined;
    const whole = Buffer.concat(progress.gathered);
    progress.gathered = [];
    return { ...envelope, marks: envelope.marks & ~MARK.parts, part: 0, parts: 1, payload: whole };
  }
}
