/**
 * Where an instance gets what it serves TLS with: from its supervisor, by IPC, at its start and whenever it changes. Runs in the
 * instance, from its preload on; the supervisor's side is src/supervisor/tls.ts.
 */
import { isControlMessage, type TlsMaterial, type ToInstance } from "../protocol.ts";

export class TlsInbox {
  /** Resolved with what came first; never without --ssl. */
  readonly first: Promise<TlsMaterial>;
  #resolveFirst!: (material: TlsMaterial) => void;
  #latest: TlsMaterial | undefined;
  #listener: ((material: TlsMaterial) => void) | undefined;

  constructor() {
    this.first = new Promise((resolve) => {
      this.#resolveFirst = resolve;
    });
    const emit = process.emit.bind(process) as (event: string | symbol, ...args: unknown[]) => boolean;
    // Not as a listener: an app that logs all messages it gets would log the private key.
    process.emit = ((event: string | symbol, ...args: unknown[]): boolean => {
      const [message] = args;
      if (event !== "message" || !isTlsMessage(message)) return emit(event, ...args);
      this.#take(message.material);
      return true;
    }) as typeof process.emit;
  }

  /** Calls the listener for what differs from `known`, now or later. */
  onChange(known: TlsMaterial, listener: (material: TlsMaterial) => void): void {
    this.#listener = listener;
    if (this.#latest !== undefined && this.#latest !== known) listener(this.#latest);
  }

  #take(material: TlsMaterial): void {
    this.#latest = material;
    this.#resolveFirst(material);
    this.#listener?.(material);
  }
}

function isTlsMessage(message: unknown): message is Extract<ToInstance, { choir: "tls" }> {
  return isControlMessage(message) && message.choir === "tls";
}
