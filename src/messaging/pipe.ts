/**
 * An instance's end of the pipe to the broker: what is written during one turn of the event loop goes out together, what comes in
 * is handed to pub/sub, requests or locks by its type. Runs in the instance; the other end is peer.ts.
 */
import type { Duplex } from "node:stream";
import { ChoirError, type ErrorCode } from "../errors.ts";
import { Batch, type ValuedHead } from "./batch.ts";
import { FRAME, FrameReader, REFUSAL } from "./frames.ts";
import { Gate } from "./gate.ts";
import type { Encoded } from "./value.ts";

/** Who takes the frames of one range: types 0x00 to 0x0f, 0x10 to 0x1f, 0x20 to 0x2f. */
export interface PipeUser {
  /** Takes a frame, which holds until it returns. */
  onFrame(frame: FrameReader): void;
  /** The pipe is closed: everything that waits for the broker ends. */
  onClosed(error: ChoirError): void;
}

/** What becomes of a request to the broker. */
export interface Settle {
  resolve(): void;
  reject(error: ChoirError): void;
}

export interface PipeOptions {
  /**
   * Writes what comes first in a turn of the event loop at once, and only the rest at the turn's end: so a message is on its way
   * before the answer to the request that caused it, for one more write a turn. Default false: within one process, that would run
   * the others' handlers inside of `publish`.
   */
  readonly eager?: boolean | undefined;
}

/** What a publisher that does not wait has encoded before it is made to. */
const BATCH_BYTES = 64 * 1024;
const ACCEPTED = Promise.resolve();

export class Pipe {
  readonly batch = new Batch();
  readonly #stream: Duplex;
  readonly #isEager: boolean;
  readonly #gate: Gate;
  readonly #reader = new FrameReader();
  readonly #users: (PipeUser | undefined)[] = [];
  readonly #pending = new Map<number, Settle>();
  #lastId = 0;
  #scheduled = false;
  #reading = false;
  #closed: ChoirError | undefined;

  /** Takes the stream over; whether it keeps the process alive is the caller's to say. */
  constructor(stream: Duplex, { eager = false }: PipeOptions = {}) {
    this.#stream = stream;
    this.#isEager = eager;
    this.#gate = new Gate(stream);
    const end = () => this.#end();
    stream.on("error", (error) => this.#end(error));
    stream.on("close", end);
    stream.on("end", end);
    stream.on("data", (chunk: Buffer) => this.#read(chunk));
  }

  /** The error that everything ends with since it was closed. */
  get closed(): ChoirError | undefined {
    return this.#closed;
  }

  /** Has frames of the range in which `type` is handed to `user`. */
  use(type: number, user: PipeUser): void {
    this.#users[type >> 4] = user;
  }

  /** A number for a frame that will be answered. */
  nextId(): number {
    this.#lastId = (this.#lastId + 1) >>> 0;
    return this.#lastId;
  }

  /** To be called after a message was put into the batch: sees to its being sent, and returns what its publisher is to await. */
  accept(): Promise<void> {
    if (this.batch.length >= BATCH_BYTES) {
      this.#send();
      // Also when the pipe took it all: else a loop of awaited publishes would starve timers and sockets.
      return this.#gate.close();
    }
    this.schedule();
    return this.#gate.closed ?? ACCEPTED;
  }

  /** Sends what the batch has with the end of this turn, or at once when it is the turn's first. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#onTurn);
    if (this.#isEager) this.#send();
  }

  /** Sends a frame whose answer is an ack or a refusal; rejects with that, or when the pipe is closed. */
  request(type: number, topic = ""): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed !== undefined) {
        reject(this.#closed);
        return;
      }
      const id = this.nextId();
      this.batch.control({ type, id, topic });
      this.expect(id, { resolve, reject });
      this.schedule();
    });
  }

  /** Sends a frame of id, flags and value. */
  send(head: ValuedHead, encoded?: Encoded): void {
    this.batch.valued(head, encoded);
    this.schedule();
  }

  /** Has the ack or refusal with this id told to `settle`. */
  expect(id: number, settle: Settle): void {
    this.#pending.set(id, settle);
  }

  /** Nobody is to be told any more. */
  unexpect(id: number): void {
    this.#pending.delete(id);
  }

  /** Sends what was accepted, then closes. */
  async close(): Promise<void> {
    if (this.#closed === undefined) {
      this.#send();
      this.#fail();
      this.#stream.end(() => this.#stream.destroy());
    }
    if (this.#stream.closed) return;
    await new Promise<void>((resolve) => {
      this.#stream.once("close", resolve);
    });
  }

  readonly #onTurn = (): void => {
    this.#scheduled = false;
    if (this.#closed !== undefined) return;
    this.#send();
    this.#gate.closeIfFull();
  };

  #send(): void {
    const parts = this.batch.take();
    if (parts.length > 1) this.#stream.cork();
    for (const part of parts) this.#stream.write(part, this.#gate.onWritten);
    if (parts.length > 1) this.#stream.uncork();
  }

  #read(chunk: Buffer): void {
    this.#reader.push(chunk);
    // A stream within the process delivers during our own writes.
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (this.#closed === undefined && this.#reader.next()) this.#onFrame(this.#reader);
    } catch (error) {
      this.#end(error);
    } finally {
      this.#reading = false;
    }
  }

  #onFrame(frame: FrameReader): void {
    const { type } = frame;
    if (type !== FRAME.ack && type !== FRAME.refused) {
      this.#users[type >> 4]?.onFrame(frame);
      return;
    }
    const id = frame.id();
    const settle = this.#pending.get(id);
    this.#pending.delete(id);
    if (type === FRAME.refused) settle?.reject(refusal(frame));
    else settle?.resolve();
  }

  /** The pipe has ended, or cannot be used. */
  #end(cause?: unknown): void {
    if (this.#closed !== undefined) return;
    this.#fail(cause);
    this.#stream.destroy();
  }

  /** Everything that waits for the broker ends here. */
  #fail(cause?: unknown): void {
    const message = "Connection to the broker is closed: the instance or its supervisor is ending";
    const closed = new ChoirError("ERR_CHOIR_PUBSUB_CLOSED", message, cause === undefined ? {} : { cause });
    this.#closed = closed;
    for (const settle of this.#pending.values()) settle.reject(closed);
    this.#pending.clear();
    for (const user of this.#users) user?.onClosed(closed);
    this.#gate.fail(closed);
  }
}

const REFUSED: Readonly<Record<number, ErrorCode>> = {
  [REFUSAL.retainedLimit]: "ERR_CHOIR_RETAINED_LIMIT",
  [REFUSAL.subscriptionLimit]: "ERR_CHOIR_SUBSCRIPTION_LIMIT",
  [REFUSAL.requestLimit]: "ERR_CHOIR_REQUEST_LIMIT",
  [REFUSAL.noResponder]: "ERR_CHOIR_NO_RESPONDER",
};

function refusal(frame: FrameReader): ChoirError {
  const at = frame.body + 4;
  const code = REFUSED[frame.buffer[at] ?? 0] ?? "ERR_CHOIR_FRAME";
  return new ChoirError(code, frame.buffer.toString("utf8", at + 1, frame.end));
}
