/** The sockets that were bound for one wish of an app, and which instances have them. Runs in the supervisor of `choir start`. */
import type { Clock, Timer } from "../clock.ts";
import type { Child } from "./child.ts";
import type { BoundSocket } from "./sockets.ts";

export interface SharedSocketsSetup {
  readonly scheme: string;
  readonly sockets: Promise<readonly BoundSocket[]>;
  /** They are the service manager's, and not ours to give back. */
  readonly isPassed: boolean;
  /** Of the instance that asked first. */
  readonly generation: number;
  /** When they were asked for first, in order. */
  readonly order: number;
}

/** Who closes a server to listen again finds its socket, and those who have connected meanwhile. In milliseconds. */
const IDLE_MS = 1000;

export class SharedSockets {
  readonly order: number;
  readonly isPassed: boolean;
  /** Rejects when they could not be bound. */
  readonly sockets: Promise<readonly BoundSocket[]>;
  bound: readonly BoundSocket[] = [];
  /** The latest generation that asked. */
  #generation: number;
  /** The questions that they were the answer to, by instance. */
  readonly #holders = new Map<Child, Set<number>>();
  #idle: Timer | undefined;
  #scheme: string;

  constructor({ scheme, sockets, isPassed, generation, order }: SharedSocketsSetup) {
    this.#scheme = scheme;
    this.sockets = sockets;
    this.isPassed = isPassed;
    this.#generation = generation;
    this.order = order;
  }

  /** How they are written in URLs. */
  get scheme(): string {
    return this.#scheme;
  }

  /** One more asks for them: who looks for a free port does so with a server that speaks no HTTP. */
  use(scheme: string): this {
    if (this.#scheme === "tcp") this.#scheme = scheme;
    return this;
  }

  /** The last that had them has closed them, and nobody has asked since. */
  get isIdle(): boolean {
    return this.#idle !== undefined;
  }

  /** An instance gets them as the answer to a question. */
  hold(child: Child, { ask, generation }: { readonly ask: number; readonly generation: number }): void {
    this.#idle?.cancel();
    this.#idle = undefined;
    this.#generation = Math.max(this.#generation, generation);
    const asks = this.#holders.get(child) ?? new Set();
    this.#holders.set(child, asks.add(ask));
  }

  /** The app of an instance has closed them; `onIdle` is called when nobody has asked for them again for a moment. */
  release(child: Child, ask: number, { clock, onIdle }: { readonly clock: Clock; readonly onIdle: () => void }): void {
    const asks = this.#holders.get(child);
    if (asks?.delete(ask) !== true || asks.size > 0) return;
    this.#holders.delete(child);
    if (this.#holders.size === 0 && !this.isPassed) this.#idle = clock.after(IDLE_MS, onIdle);
  }

  /** An instance has ended; whether nobody is left who wants them, where `newest` is the newest generation that serves. */
  left(child: Child, newest: number): boolean {
    this.#holders.delete(child);
    return this.#holders.size === 0 && !this.isPassed && this.#generation < newest;
  }

  close(): void {
    this.#idle?.cancel();
    for (const socket of this.bound) socket.close();
  }
}
