/**
 * Answers instances whose app calls `listen()`: the first one that asks for an address has it bound here, all others get the same
 * socket, so that every instance accepts from one queue. Runs in the supervisor of `choir start`; the other side is
 * src/instance/socket-inbox.ts.
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { Clock } from "../clock.ts";
import { ChoirError, describeThrown, quote } from "../errors.ts";
import { isSocketWish, type RefusedSocket, type SocketWish } from "../protocol.ts";
import { formatTcp } from "./addresses.ts";
import type { Child } from "./child.ts";
import { type BoundSocket, bindSockets, type SocketOptions } from "./sockets.ts";

export interface SocketDeskSetup {
  readonly options: SocketOptions;
  /** --address was given: it is where an app listens that names no host. */
  readonly addressGiven: boolean;
  /** Of the sockets that --address and --port name. */
  readonly scheme: string;
  readonly clock: Clock;
  /** `choir check`: what an app asks for is not bound; it gets some free port of this machine's own. */
  readonly isPrivate: boolean;
  /** What the service manager has passed: it is used for what an app asks for, where it fits. */
  readonly passed: readonly BoundSocket[];
}

/** Sockets that were bound for one wish. */
interface Entry {
  readonly scheme: string;
  readonly sockets: Promise<readonly BoundSocket[]>;
  bound: readonly BoundSocket[];
  readonly holders: Set<Child>;
  /** The latest generation that asked. */
  generation: number;
  /** When it was asked for first, in order. */
  readonly order: number;
}

/** An app that asks for more different addresses than this is listening by mistake in a loop. */
const MOST_ENTRIES = 256;

export class SocketDesk {
  readonly #setup: SocketDeskSetup;
  readonly #entries = new Map<string, Entry>();
  #latestReady = 0;
  #asked = 0;
  #closed = false;

  constructor(setup: SocketDeskSetup) {
    this.#setup = setup;
  }

  /** Answers what an instance asks for from now on. */
  attach(child: Child, generation: number): void {
    child.onMessage((message) => {
      if (message.choir === "ready") this.#latestReady = Math.max(this.#latestReady, generation);
      if (message.choir !== "listen") return;
      const { ask, wish, scheme } = message;
      if (!isSocketWish(wish) || !Number.isInteger(ask) || typeof scheme !== "string") return;
      void this.#answer(child, { ask, wish, scheme, generation });
    });
    void child.exited.then(() => this.#left(child));
  }

  /** Where all of it can be reached, in the order in which it was asked for. */
  get urls(): string[] {
    const inOrder = [...this.#entries.values()].sort((a, b) => a.order - b.order);
    return inOrder.flatMap(({ scheme, bound }) =>
      bound.map(({ address }) => (address.startsWith("unix:") ? address : `${scheme}://${address}`)),
    );
  }

  /** All that are bound. */
  get sockets(): readonly BoundSocket[] {
    return [...this.#entries.values()].flatMap(({ bound }) => bound);
  }

  /** Gives up the supervisor's copies. Instances have their own, and accept until the queue is empty. */
  close(): void {
    this.#closed = true;
    for (const { bound } of this.#entries.values()) for (const socket of bound) socket.close();
    this.#entries.clear();
  }

  async #answer(child: Child, { ask, wish, scheme, generation }: Question): Promise<void> {
    this.#asked += 1;
    try {
      const entry = await this.#entryFor(wish, { scheme, order: this.#asked });
      entry.holders.add(child);
      entry.generation = Math.max(entry.generation, generation);
      const sockets = await entry.sockets;
      for (const [index, { handle, address }] of sockets.entries()) {
        child.send({ choir: "socket", ask, index, count: sockets.length, address }, handle);
      }
    } catch (error) {
      child.send({ choir: "socket-refused", ask, error: refusal(error) });
    }
  }

  async #entryFor(wish: SocketWish, { scheme, order }: Pick<Entry, "scheme" | "order">): Promise<Entry> {
    const target = await this.#targetOf(wish);
    const key = JSON.stringify(target);
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    if (this.#closed || this.#entries.size >= MOST_ENTRIES) {
      const reason = this.#closed ? "the program is stopping" : `${MOST_ENTRIES} are in use`;
      throw new ChoirError("ERR_CHOIR_ADDRESS", `No further address can be listened on: ${reason}`);
    }
    const entry: Entry = {
      scheme: wish.kind === "default" ? this.#setup.scheme : scheme,
      sockets: this.#bind(target),
      bound: [],
      holders: new Set(),
      generation: 0,
      order,
    };
    this.#entries.set(key, entry);
    try {
      entry.bound = await entry.sockets;
    } catch (error) {
      // Whoever asks next may have more luck.
      this.#entries.delete(key);
      throw error;
    }
    // It was bound for nobody: the end has come meanwhile.
    if (this.#closed) for (const socket of entry.bound) socket.close();
    return entry;
  }

  /** What a wish comes to: two that mean the same address are equal. */
  async #targetOf(wish: SocketWish): Promise<Target> {
    const { address, port } = this.#setup.options;
    // With sockets that were passed, --address and --port say nothing.
    const isDefault = this.#setup.passed.length > 0;
    if (wish.kind === "default")
      return { addresses: address, port, ordinal: 0, ...(isDefault && { isDefault: true as const }) };
    if (wish.kind === "unix") {
      return {
        addresses: [`unix:${wish.path}`],
        port: 0,
        ordinal: 0,
        ...(wish.mode !== undefined && { mode: wish.mode }),
      };
    }
    const ordinal = wish.port === 0 ? wish.ordinal : 0;
    const named = { port: wish.port, ordinal };
    if (wish.host === null) return { addresses: this.#setup.addressGiven ? address : ["*"], ...named };
    return { addresses: [await oneAddress(wish.host)], ...named };
  }

  async #bind(target: Target): Promise<readonly BoundSocket[]> {
    const { addresses, port, mode } = target;
    const { options, clock, isPrivate } = this.#setup;
    const passed = this.#passedFor(target);
    if (passed.length > 0) return passed;
    if (isPrivate) return bindSockets({ ...options, address: ["127.0.0.1"], port: 0 }, clock);
    const wanted = { ...options, port, ...(mode !== undefined && { socketMode: mode }) };
    if (addresses[0] !== "*") return bindSockets({ ...wanted, address: addresses }, clock);
    return bindSockets({ ...wanted, address: ["::"] }, clock).catch((error: unknown) => {
      // As Node does on a machine without IPv6.
      const code = systemCode(error);
      if (code !== "EAFNOSUPPORT" && code !== "EADDRNOTAVAIL" && code !== "EINVAL") throw error;
      return bindSockets({ ...wanted, address: ["0.0.0.0"] }, clock);
    });
  }

  /** Those of the service manager's sockets that an app means: all of them by --address and --port, else those it names. */
  #passedFor({ addresses, port, isDefault }: Target): readonly BoundSocket[] {
    const { passed } = this.#setup;
    if (isDefault) return passed;
    return passed.filter(({ address }) =>
      addresses.some((wanted) =>
        wanted === "*" ? address.endsWith(`:${port}`) : address === formatAddress(wanted, port),
      ),
    );
  }

  /** Gives back what newer code does not ask for any more: clients would wait there for ever. */
  #left(child: Child): void {
    for (const [key, entry] of this.#entries) {
      entry.holders.delete(child);
      if (entry.holders.size > 0 || entry.generation >= this.#latestReady) continue;
      for (const socket of entry.bound) socket.close();
      this.#entries.delete(key);
    }
  }
}

interface Question {
  readonly ask: number;
  readonly wish: SocketWish;
  readonly scheme: string;
  readonly generation: number;
}

interface Target {
  /** As --address has them; `*` alone is every address there is. */
  readonly addresses: readonly string[];
  readonly port: number;
  readonly ordinal: number;
  readonly mode?: number;
  readonly isDefault?: true;
}

function formatAddress(address: string, port: number): string {
  return address.startsWith("unix:") ? address : formatTcp(address, port);
}

/** A host name stands for the first of its addresses, as in Node's own listen(). */
async function oneAddress(host: string): Promise<string> {
  if (isIP(host.replace(/%.*$/, "")) !== 0) return host;
  const found = await lookup(host).catch((error: unknown) => {
    throw new ChoirError("ERR_CHOIR_ADDRESS", `Host ${quote(host)} cannot be resolved: ${describeThrown(error)}`, {
      cause: error,
      hint: "Listen on an address of this machine, for example 127.0.0.1, or 0.0.0.0 for all of them",
    });
  });
  return found.address;
}

function refusal(error: unknown): RefusedSocket {
  const ours = error instanceof ChoirError;
  return {
    code: ours ? error.code : "ERR_CHOIR_ADDRESS",
    message: describeThrown(error),
    ...(ours && error.hint !== undefined && { hint: error.hint }),
    system: systemCode(error) ?? "EINVAL",
  };
}

function systemCode(error: unknown): string | undefined {
  const { cause } = error as { cause?: { code?: unknown } };
  return typeof cause?.code === "string" ? cause.code : undefined;
}
