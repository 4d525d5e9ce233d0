/**
 * Asks the supervisor for the sockets that an app listens on, and takes their handles from the IPC channel before the app can see
 * them. Runs in an instance of `choir start`; the other side is src/supervisor/socket-desk.ts.
 */
import {
  isControlMessage,
  type RefusedSocket,
  type SocketWish,
  type ToInstance,
  type ToSupervisor,
} from "../protocol.ts";

/** The part of libuv's handle of a bound socket that is used here. */
export interface ListenHandle {
  readonly fd: number;
  listen(backlog: number): number;
  close(): void;
}

export interface AskedSocket {
  /** The question's number. */
  readonly ask: number;
  readonly handle: ListenHandle;
  readonly address: string;
}

/** The address cannot be had. */
export class Refusal extends Error {
  readonly refused: RefusedSocket;

  constructor(refused: RefusedSocket) {
    super(refused.message);
    this.refused = refused;
  }
}

interface Ask {
  readonly sockets: AskedSocket[];
  resolve(sockets: readonly AskedSocket[]): void;
  reject(error: Refusal): void;
}

export class SocketInbox {
  readonly #asks = new Map<number, Ask>();
  #last = 0;

  constructor() {
    const emit = process.emit.bind(process) as (event: string | symbol, ...args: unknown[]) => boolean;
    // Not as a listener: an app that reads all messages it gets would find ones that it did not ask for.
    process.emit = ((event: string | symbol, ...args: unknown[]): boolean => {
      const [message, handle] = args;
      if (event !== "message" || !isSocketMessage(message)) return emit(event, ...args);
      this.#take(message, handle as ListenHandle | undefined);
      return true;
    }) as typeof process.emit;
  }

  /** Asks for the sockets of a wish; rejects with a Refusal. Never resolved when the supervisor is gone. */
  ask(wish: SocketWish, scheme: string): Promise<readonly AskedSocket[]> {
    this.#last += 1;
    const ask = this.#last;
    return new Promise((resolve, reject) => {
      this.#asks.set(ask, { sockets: [], resolve, reject });
      const message: ToSupervisor = { choir: "listen", ask, wish, scheme };
      if (process.connected) process.send?.(message, undefined, undefined, () => {});
    });
  }

  /** Says that the app has no more use for what it got; others may have. */
  release(ask: number): void {
    const message: ToSupervisor = { choir: "unlisten", ask };
    if (process.connected) process.send?.(message, undefined, undefined, () => {});
  }

  #take(message: SocketMessage, handle: ListenHandle | undefined): void {
    const ask = this.#asks.get(message.ask);
    if (ask === undefined) {
      handle?.close();
    } else if (message.choir === "socket-refused") {
      this.#asks.delete(message.ask);
      ask.reject(new Refusal(message.error));
    } else if (handle !== undefined) {
      ask.sockets[message.index] = { ask: message.ask, handle, address: message.address };
      if (ask.sockets.filter(Boolean).length < message.count) return;
      this.#asks.delete(message.ask);
      ask.resolve(ask.sockets);
    }
  }
}

type SocketMessage = Extract<ToInstance, { choir: "socket" | "socket-refused" }>;

function isSocketMessage(message: unknown): message is SocketMessage {
  return isControlMessage(message) && (message.choir === "socket" || message.choir === "socket-refused");
}
