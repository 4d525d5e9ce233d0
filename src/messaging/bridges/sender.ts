/**
 * Sends what waits, a batch at a time, over whatever connection there is: the next batch when the engine has the one before, so
 * that what lies between here and the engine stays small and is known. Runs in the supervisor.
 */
import type { EngineConnection, Outbound } from "./engine.ts";
import { splitEnvelope } from "./envelope.ts";
import type { Outgoing } from "./outgoing.ts";

/** Bytes of one batch. */
const BATCH_BYTES = 256 * 1024;

export class Sender {
  readonly #outgoing: Outgoing;
  #connection: EngineConnection | undefined;
  #sending = false;
  #sent = 0;
  #sentBytes = 0;
  #idle: (() => void) | undefined;

  constructor(outgoing: Outgoing) {
    this.#outgoing = outgoing;
  }

  /** Messages that the engine has got, and their bytes. */
  get sent(): number {
    return this.#sent;
  }

  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Sends over this connection from now on. */
  open(connection: EngineConnection): void {
    this.#connection = connection;
    this.wake();
  }

  /** Sends no more until `open`. */
  shut(): void {
    this.#connection = undefined;
  }

  /** Something was added. */
  wake(): void {
    if (!this.#sending && this.#connection !== undefined) void this.#run();
  }

  /** Resolves when nothing waits any more. */
  drained(): Promise<void> {
    if (this.#outgoing.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }

  async #run(): Promise<void> {
    this.#sending = true;
    while (this.#connection !== undefined) {
      const connection: EngineConnection = this.#connection;
      const batch = this.#outgoing.take(BATCH_BYTES);
      if (batch.length === 0) break;
      try {
        await connection.send(fit(batch, connection.maxPayload));
        this.#sent += batch.length;
        for (const { data } of batch) this.#sentBytes += data.length;
        this.#outgoing.confirm();
      } catch {
        // Sent again over the next connection: who has it already drops it by its number.
        this.#outgoing.giveBack();
        if (this.#connection === connection) this.#connection = undefined;
      }
    }
    this.#sending = false;
    if (this.#outgoing.length === 0) this.#idle?.();
  }
}

/** Cuts what is too long for one message; most batches have nothing of that. */
export function fit(batch: readonly Outbound[], maxPayload: number): readonly Outbound[] {
  if (batch.every(({ data }) => data.length <= maxPayload)) return batch;
  return batch.flatMap(({ subject, data }) => splitEnvelope(data, maxPayload).map((part) => ({ subject, data: part })));
}
