/**
 * Keeps one connection to the engine: connects, waits longer after each failure, and connects anew when it is lost. Runs in the
 * supervisor.
 */
import type { Clock, Timer } from "../../clock.ts";
import type { Engine, EngineConnection, EngineListener } from "./engine.ts";

export interface LinkOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly listener: EngineListener;
  readonly onConnected: (connection: EngineConnection) => void;
  /** The connection was lost. */
  readonly onLost: (reason: unknown) => void;
  /** A try to connect failed; another one follows. */
  readonly onFailed: (error: unknown) => void;
}

const FIRST_DELAY_MS = 100;
/** No supervisor is away for longer once the engine is back: bridge.ts waits for the others by it. */
export const MAX_DELAY_MS = 2000;

/** How long to wait before the next try, in milliseconds: doubling, with jitter, so that not all come at once. */
export function reconnectDelay(failures: number, random: number): number {
  return Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failures, 10)) * (0.5 + random / 2);
}

export class Link {
  readonly #options: LinkOptions;
  #failures = 0;
  #timer: Timer | undefined;
  #connection: EngineConnection | undefined;
  #closed = false;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** The connection, while there is one. */
  get connection(): EngineConnection | undefined {
    return this.#connection;
  }

  /** Begins to connect. */
  start(): void {
    void this.#connect();
  }

  /** Ends the connection and all tries. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#connection?.close();
  }

  async #connect(): Promise<void> {
    const { engine, listener } = this.#options;
    let connection: EngineConnection;
    try {
      connection = await engine.connect(listener);
    } catch (error) {
      if (this.#closed) return;
      this.#options.onFailed(error);
      this.#later();
      return;
    }
    if (this.#closed) {
      await connection.close();
      return;
    }
    this.#failures = 0;
    this.#connection = connection;
    this.#options.onConnected(connection);
    const reason = await connection.closed;
    this.#connection = undefined;
    if (this.#closed) return;
    this.#options.onLost(reason);
    this.#later();
  }

  #later(): void {
    const { clock } = this.#options;
    this.#timer = clock.after(reconnectDelay(this.#failures, clock.random()), () => void this.#connect());
    this.#failures++;
  }
}
