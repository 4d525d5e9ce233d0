/**
 * Sends what is of use only now, requests and answers, to other supervisors: at once, in batches, or not at all. Runs in the
 * supervisor. What an outage takes is lost, since who asked has given up by then; messages, which wait, go by sender.ts.
 */
import { Fifo } from "../fifo.ts";
import type { EngineConnection, Outbound } from "./engine.ts";
import { fit } from "./sender.ts";

/** Bytes of one batch. */
const BATCH_BYTES = 256 * 1024;

export class Post {
  readonly #limit: number;
  readonly #waiting = new Fifo<Outbound>();
  #connection: EngineConnection | undefined;
  #bytes = 0;
  #sending = false;

  /** `limit` is how many bytes may wait for the engine to take those before. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  open(connection: EngineConnection): void {
    this.#connection = connection;
  }

  /** The connection was lost: what waits is dropped, and what is added until `open` too. */
  shut(): void {
    this.#connection = undefined;
    this.#waiting.clear();
    this.#bytes = 0;
  }

  /** Sends it with what else is added in this tick; drops it where there is no connection, or too much waits. */
  add(message: Outbound): void {
    const { length } = message.data;
    // One is always taken, however long it is.
    if (this.#connection === undefined || (this.#bytes > 0 && this.#bytes + length > this.#limit)) return;
    this.#bytes += length;
    this.#waiting.push(message);
    if (this.#sending) return;
    this.#sending = true;
    queueMicrotask(() => void this.#run());
  }

  async #run(): Promise<void> {
    for (let batch = this.#take(); batch.length > 0; batch = this.#take()) {
      const connection = this.#connection;
      // Where it fails the connection is lost, which that says itself.
      await connection?.send(fit(batch, connection.maxPayload)).catch(() => {});
    }
    this.#sending = false;
  }

  #take(): readonly Outbound[] {
    const batch: Outbound[] = [];
    for (let bytes = 0; bytes < BATCH_BYTES;) {
      const message = this.#waiting.shift();
      if (message === undefined) break;
      batch.push(message);
      bytes += message.data.length;
      this.#bytes -= message.data.length;
    }
    return batch;
  }
}
