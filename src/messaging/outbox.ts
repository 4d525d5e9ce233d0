/**
 * What the broker still has to send to one instance, and what becomes of it when the instance does not read. Runs in the
 * supervisor.
 *
 * Messages are kept as runs: slices of the chunks they came in, which are their publisher's own bytes. The socket is given
 * little at a time, since only what still lies here can be dropped. Over the limit those who publish to the instance are held
 * (see peer.ts), for `waitMs` at most; after that the instance loses its oldest messages. Answers are never dropped: an instance
 * that does not read them is not read from, so that they cannot pile up.
 */
import type { Duplex } from "node:stream";
import type { Clock, Timer } from "../clock.ts";
import { Fifo } from "./fifo.ts";
import { frameBytes } from "./frames.ts";

/** What an instance that did not read lost. */
export interface Loss {
  /** Messages. */
  readonly dropped: number;
  readonly droppedBytes: number;
}

export interface OutboxOptions {
  readonly clock: Clock;
  /** Bytes of messages that may wait before publishers are held. */
  readonly limit: number;
  /** How long they are held at most, in milliseconds. */
  readonly waitMs: number;
  /** The instance loses messages from now on. */
  readonly onOverload: (loss: Loss) => void;
  /** It reads again: all that it lost since. */
  readonly onRecovered: (loss: Loss) => void;
  /** Something was handed to the socket, or a wait ended: who is held may go on. */
  readonly onEased: () => void;
}

/** Consecutive messages in one buffer. */
interface Run {
  readonly buffer: Buffer;
  start: number;
  end: number;
  count: number;
  readonly order: number;
}

interface Answer {
  readonly buffer: Buffer;
  readonly order: number;
}

/** Handed to the socket at a time: enough for one wake-up of the instance. */
const WINDOW_BYTES = 64 * 1024;
/** A run that is less than this part of its chunk is copied, or a few bytes would keep the chunk from being freed. */
const MIN_SHARE = 1 / 4;
const SLAB_BYTES = 16 * 1024;
const EMPTY = Buffer.alloc(0);

export class Outbox {
  readonly #stream: Duplex;
  readonly #options: OutboxOptions;
  readonly #runs = new Fifo<Run>();
  readonly #answers = new Fifo<Answer>();
  #touched = false;
  #order = 0;
  #queued = 0;
  #answerBytes = 0;
  #state: "flowing" | "waiting" | "dropping" = "flowing";
  #timer: Timer | undefined;
  #dropped = 0;
  #droppedBytes = 0;
  #reported = false;
  #closed = false;

  // The run that the chunk now read adds to: fields of their own, since every message passes here.
  #open: Buffer = EMPTY;
  #openStart = 0;
  #openEnd = 0;
  #openCount = 0;

  /** Where short runs are gathered. */
  #slab: Buffer = EMPTY;
  #slabUsed = 0;

  constructor(stream: Duplex, options: OutboxOptions) {
    this.#stream = stream;
    this.#options = options;
  }

  /** Whether something was added since the last `flush`. */
  get touched(): boolean {
    return this.#touched;
  }

  /** Whether more waits for it than may. */
  get behind(): boolean {
    return this.#state !== "flowing";
  }

  /** Whether those who publish to it are to be held. */
  get holds(): boolean {
    return this.#state === "waiting";
  }

  /** Whether it has so many unread answers that the instance must read before it is read from. */
  get congested(): boolean {
    return this.#answerBytes > this.#options.limit;
  }

  /** Bytes of messages that wait here. */
  get queuedBytes(): number {
    return this.#queued;
  }

  /** Adds a message; it is sent by the next `flush`. */
  message(buffer: Buffer, start: number, end: number): void {
    if (this.#openEnd === start && this.#open === buffer) {
      this.#openEnd = end;
      this.#openCount++;
      return;
    }
    this.#closeRun();
    this.#touched = true;
    this.#open = buffer;
    this.#openStart = start;
    this.#openEnd = end;
    this.#openCount = 1;
  }

  /** Adds an answer; it is sent by the next `flush`. The buffer is not copied. */
  answer(buffer: Buffer): void {
    this.#touched = true;
    if (this.#closed) return;
    this.#closeRun();
    this.#answers.push({ buffer, order: this.#order++ });
    this.#answerBytes += buffer.length;
  }

  /** Sends what the socket takes, and sees to what it does not. */
  flush(): void {
    this.#touched = false;
    this.#closeRun();
    this.#pump();
    if (this.#queued <= this.#options.limit) return;
    if (this.#state === "dropping") this.#drop();
    else if (this.#state === "flowing") {
      this.#state = "waiting";
      this.#timer = this.#options.clock.after(this.#options.waitMs, () => this.#giveUp());
    }
  }

  /** Forgets everything: the instance is gone. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#state = "flowing";
    this.#runs.clear();
    this.#answers.clear();
    this.#queued = 0;
    this.#answerBytes = 0;
    this.#openCount = 0;
    this.#open = EMPTY;
    this.#slab = EMPTY;
    this.#options.onEased();
  }

  #closeRun(): void {
    const count = this.#openCount;
    if (count === 0) return;
    this.#openCount = 0;
    const buffer = this.#open;
    this.#open = EMPTY;
    const start = this.#openStart;
    const end = this.#openEnd;
    this.#openEnd = 0;
    if (this.#closed) return;
    this.#queued += end - start;
    if (end - start < buffer.buffer.byteLength * MIN_SHARE) this.#gather(buffer.subarray(start, end), count);
    else this.#runs.push({ buffer, start, end, count, order: this.#order++ });
  }

  #gather(bytes: Buffer, count: number): void {
    if (bytes.length > SLAB_BYTES / 2) {
      const copy = Buffer.allocUnsafeSlow(bytes.length);
      bytes.copy(copy);
      this.#runs.push({ buffer: copy, start: 0, end: copy.length, count, order: this.#order++ });
      return;
    }
    if (this.#slabUsed + bytes.length > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#slabUsed = 0;
    }
    const start = this.#slabUsed;
    const end = start + bytes.length;
    bytes.copy(this.#slab, start);
    this.#slabUsed = end;
    const last = this.#runs.last();
    if (last?.buffer === this.#slab && last.end === start && last.order === this.#order - 1) {
      last.end = end;
      last.count += count;
    } else this.#runs.push({ buffer: this.#slab, start, end, count, order: this.#order++ });
  }

  #pump(): void {
    if (this.#closed || (this.#runs.length === 0 && this.#answers.length === 0)) return;
    const stream = this.#stream;
    stream.cork();
    while (stream.writableLength < WINDOW_BYTES) {
      const bytes = this.#next();
      if (bytes === undefined) break;
      stream.write(bytes, this.#written);
    }
    stream.uncork();
    const { limit } = this.#options;
    if (this.#state === "waiting" && this.#queued <= limit) this.#settle();
    else if (this.#state === "dropping" && this.#queued <= limit / 2) this.#recover();
  }

  readonly #written = (error?: Error | null): void => {
    if (error !== undefined && error !== null) return;
    this.#pump();
    this.#options.onEased();
  };

  /** Takes out what is to be sent next. */
  #next(): Buffer | undefined {
    const answer = this.#answers.first();
    const run = this.#runs.first();
    if (answer !== undefined && (run === undefined || answer.order < run.order)) {
      this.#answers.shift();
      this.#answerBytes -= answer.buffer.length;
      return answer.buffer;
    }
    if (run === undefined) return undefined;
    this.#runs.shift();
    this.#queued -= run.end - run.start;
    return run.buffer.subarray(run.start, run.end);
  }

  #settle(): void {
    this.#timer?.cancel();
    this.#state = "flowing";
    this.#options.onEased();
  }

  #giveUp(): void {
    this.#state = "dropping";
    this.#dropped = 0;
    this.#droppedBytes = 0;
    this.#reported = false;
    this.#drop();
    this.#options.onEased();
  }

  #recover(): void {
    this.#state = "flowing";
    if (this.#reported) this.#options.onRecovered({ dropped: this.#dropped, droppedBytes: this.#droppedBytes });
  }

  /** Drops the oldest messages until the limit is kept; the newest one always stays. */
  #drop(): void {
    while (this.#queued > this.#options.limit) {
      const run = this.#runs.first();
      if (run === undefined || (run.count === 1 && this.#runs.length === 1)) break;
      const bytes = frameBytes(run.buffer, run.start);
      run.start += bytes;
      run.count--;
      this.#queued -= bytes;
      this.#dropped++;
      this.#droppedBytes += bytes;
      if (run.count === 0) this.#runs.shift();
    }
    if (this.#reported || this.#dropped === 0) return;
    this.#reported = true;
    this.#options.onOverload({ dropped: this.#dropped, droppedBytes: this.#droppedBytes });
  }
}
