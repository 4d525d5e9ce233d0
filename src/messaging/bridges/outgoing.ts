/**
 * What waits to be sent to the engine, in order and within a limit: beyond it the oldest go, and are counted. What has been sent
 * stays until the engine has it, to be sent again over the next connection. Runs in the supervisor.
 */
import { Fifo } from "../fifo.ts";
import type { Outbound } from "./engine.ts";

export interface Lost {
  /** Messages. */
  readonly dropped: number;
  readonly droppedBytes: number;
}

export interface OutgoingOptions {
  /** Bytes that may wait. */
  readonly limit: number;
  /** The oldest messages are lost from now on. Once until half of the limit is free again. */
  readonly onOverload: (lost: Lost) => void;
  /** There is room again: all that was lost since `onOverload`. */
  readonly onRecovered: (lost: Lost) => void;
  /** This one was lost. */
  readonly onDropped: (message: Outbound) => void;
}

/** What a message costs besides its bytes. */
const OVERHEAD = 100;

export class Outgoing {
  readonly #options: OutgoingOptions;
  readonly #waiting = new Fifo<Outbound>();
  #flying: readonly Outbound[] = [];
  #returned = false;
  #bytes = 0;
  #dropped = 0;
  #droppedBytes = 0;
  #overload: Lost | undefined;

  constructor(options: OutgoingOptions) {
    this.#options = options;
  }

  /** Messages that the engine does not have yet. */
  get length(): number {
    return this.#waiting.length + this.#flying.length;
  }

  /** Their bytes, with what they cost in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  /** All that was ever lost. */
  get lost(): Lost {
    return { dropped: this.#dropped, droppedBytes: this.#droppedBytes };
  }

  /** Adds a message; the oldest go when there is no room. */
  push(message: Outbound): void {
    this.#waiting.push(message);
    this.#bytes += cost(message);
    if (this.#bytes > this.#options.limit) this.#drop();
  }

  /** Takes out what is to be sent next, up to about `maxBytes`; empty when there is nothing. Settle it by `confirm` or `giveBack`. */
  take(maxBytes: number): readonly Outbound[] {
    if (this.#returned) {
      this.#returned = false;
      return this.#flying;
    }
    const batch: Outbound[] = [];
    for (let bytes = 0; bytes < maxBytes;) {
      const message = this.#waiting.shift();
      if (message === undefined) break;
      batch.push(message);
      bytes += cost(message);
    }
    this.#flying = batch;
    return batch;
  }

  /** The engine has what was taken. */
  confirm(): void {
    for (const message of this.#flying) this.#bytes -= cost(message);
    this.#flying = [];
    if (this.#overload === undefined || this.#bytes > this.#options.limit / 2) return;
    const { dropped, droppedBytes } = this.#overload;
    this.#overload = undefined;
    this.#options.onRecovered({
      dropped: this.#dropped - dropped,
      droppedBytes: this.#droppedBytes - droppedBytes,
    });
  }

  /** Whether the engine has what was taken is not known: it is the next that is taken. */
  giveBack(): void {
    this.#returned = this.#flying.length > 0;
  }

  #drop(): void {
    const before = this.lost;
    while (this.#bytes > this.#options.limit) {
      const oldest = this.#waiting.shift();
      if (oldest === undefined) break;
      this.#bytes -= cost(oldest);
      this.#dropped++;
      this.#droppedBytes += oldest.data.length;
      this.#options.onDropped(oldest);
    }
    if (this.#overload !== undefined || this.#dropped === before.dropped) return;
    this.#overload = before;
    this.#options.onOverload({
      dropped: this.#dropped - before.dropped,
      droppedBytes: this.#droppedBytes - before.droppedBytes,
    });
  }
}

function cost({ subject, data }: Outbound): number {
  return data.length + subject.length + OVERHEAD;
}
