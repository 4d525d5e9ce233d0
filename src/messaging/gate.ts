/**
 * What publishers wait at: closed for a turn of the event loop now and then, and as long as the pipe does not take what was
 * written. Runs in the instance.
 */
import type { Duplex } from "node:stream";
import type { ChoirError } from "../errors.ts";

/** Bytes that may lie in the stream before publishers wait. */
const FULL_BYTES = 128 * 1024;

export class Gate {
  readonly #stream: Duplex;
  #closed: Promise<void> | undefined;
  #open: () => void = () => {};
  #fail: (error: ChoirError) => void = () => {};
  #turning = false;

  constructor(stream: Duplex) {
    this.#stream = stream;
  }

  /** What to wait for when it is closed. */
  get closed(): Promise<void> | undefined {
    return this.#closed;
  }

  /** Closes it until the event loop has turned, and the stream has room. */
  close(): Promise<void> {
    if (!this.#turning) {
      this.#turning = true;
      setImmediate(this.#onTurn);
    }
    return this.#shut();
  }

  /** Closes it until the stream has room. */
  closeIfFull(): void {
    if (this.#stream.writableLength >= FULL_BYTES) void this.#shut();
  }

  /** To be called when the stream has written something. */
  readonly onWritten = (): void => {
    if (this.#closed !== undefined && !this.#turning) this.#openIfRoom();
  };

  /** Ends every wait: the pipe is closed. */
  fail(error: ChoirError): void {
    this.#closed = undefined;
    this.#fail(error);
  }

  readonly #onTurn = (): void => {
    this.#turning = false;
    this.#openIfRoom();
  };

  #openIfRoom(): void {
    if (this.#stream.writableLength >= FULL_BYTES) return;
    this.#closed = undefined;
    this.#open();
  }

  #shut(): Promise<void> {
    if (this.#closed === undefined) {
      this.#closed = new Promise((resolve, reject) => {
        this.#open = resolve;
        this.#fail = reject;
      });
      // Not every publisher waits: nobody may be there to see the pipe close.
      this.#closed.catch(() => {});
    }
    return this.#closed;
  }
}
