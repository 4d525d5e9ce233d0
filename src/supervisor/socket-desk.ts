/**
 * Answers instances whose app calls `listen()`: the first one that asks for an address has it bound here, all others get the same
 * socket, so that every instance accepts from one queue. Runs in the supervisor of `choir start`; the other side is
 * src/instance/socket-inbox.ts.
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { Clock } from "../clock.ts";
import type { ChoirEvent } from "../events.ts";
import { ChoirError, describeThrown, quote } from "../errors.ts";
import { isSocketWish, type RefusedSocket, type SocketWish } from "../protocol.ts";
import { formatTcp } from "./addresses.ts";
import type { Child } from "./child.ts";
import { checkForeignWish } from "./foreign-wish.ts";
import { SharedSockets, type SharedSocketsSetup } from "./shared-sockets.ts";
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
  readonly emit: (event: ChoirEvent) => void;
  /** Binds; for tests. */
  readonly bind?: (options: SocketOptions, clock: Clock) => Promise<readonly BoundSocket[]>;
}

/** An app that asks for more different addresses than this is listening by mistake in a loop. */
const MOST_ENTRIES = 256;

export class SocketDesk {
  readonly #setup: SocketDeskSetup;
  readonly #entries = new Map<string, SharedSockets>();
  /** The instances there are, with their generations once they are ready. */
  readonly #children = new Map<Child, number | undefined>();
  #asked = 0;
  #hasBeenReady = false;
  #closed = false;

  constructor(setup: SocketDeskSetup) {
    this.#setup = setup;
  }

  /** Answers what an instance asks for from now on. */
  attach(child: Child, generation: number): void {
    this.#children.set(child, undefined);
    child.onMessage((message) => {
      if (message.choir === "ready") this.#ready(child, generation);
      else if (message.choir === "unlisten") this.#release(child, message.ask);
      if (message.choir !== "listen") return;
      const { ask, wish, scheme } = message;
      if (!isSocketWish(wish) || !Number.isInteger(ask) || typeof scheme !== "string") return;
      void this.#answer(child, { ask, wish, scheme, generation });
    });
    void child.exited.then(() => this.#left(child));
  }

  /** Where all of it can be reached, in the order in which it was asked for. */
  get urls(): string[] {
    const inOrder = [...this.#shared].filter(({ isIdle }) => !isIdle).sort((a, b) => a.order - b.order);
    return inOrder.flatMap(({ scheme, bound }) =>
      bound.map(({ address }) => (address.startsWith("unix:") ? address : `${scheme}://${address}`)),
    );
  }

  /** All that are bound. */
  get sockets(): readonly BoundSocket[] {
    return [...this.#shared].flatMap(({ bound }) => bound);
  }

  /** Gives up the supervisor's copies. Instances have their own, and accept until the queue is empty. */
  close(): void {
    this.#closed = true;
    for (const shared of this.#shared) shared.close();
    this.#entries.clear();
  }

  /** One may stand under several keys. */
  get #shared(): ReadonlySet<SharedSockets> {
    return new Set(this.#entries.values());
  }

  async #answer(child: Child, { ask, wish, scheme, generation }: Question): Promise<void> {
    // It is about to be told to end. A refusal would be an error that its app complains of.
    if (this.#closed) return;
    this.#asked += 1;
    try {
      const shared = await this.#sharedFor(wish, { scheme, generation, order: this.#asked });
      // Otherwise it has ended meanwhile, and would hold them for ever.
      if (this.#children.has(child)) shared.hold(child, { ask, generation });
      const sockets = await shared.sockets;
      for (const [index, { handle, address }] of sockets.entries()) {
        child.send({ choir: "socket", ask, index, count: sockets.length, address }, handle);
      }
    } catch (error) {
      child.send({ choir: "socket-refused", ask, error: refusal(error) });
    }
  }

  async #sharedFor(
    wish: SocketWish,
    { scheme, ...asked }: Pick<SharedSocketsSetup, "scheme" | "generation" | "order">,
  ): Promise<SharedSockets> {
    checkForeignWish(wish, this.#setup.options);
    const target = await this.#targetOf(wish);
    const key = JSON.stringify(target);
    const known = this.#known(key, target);
    const ownScheme = wish.kind === "default" ? this.#setup.scheme : scheme;
    if (known !== undefined) return known.use(ownScheme);
    if (this.#entries.size >= MOST_ENTRIES) {
      throw new ChoirError("ERR_CHOIR_ADDRESS", `No further address can be listened on: ${MOST_ENTRIES} are in use`);
    }
    const passed = this.#passedFor(target);
    const isPassed = passed.length > 0;
    const sockets = isPassed ? Promise.resolve(passed) : this.#bind(target);
    const shared = new SharedSockets({ scheme: ownScheme, sockets, isPassed, ...asked });
    this.#entries.set(key, shared);
    try {
      shared.bound = await sockets;
    } catch (error) {
      // Whoever asks next may have more luck.
      this.#drop(shared);
      throw error;
    }
    // It was bound for nobody: the end has come meanwhile.
    if (this.#closed) shared.close();
    return shared;
  }

  /** What is bound for such a wish already: by that name, or as the free port that was found for an earlier one. */
  #known(key: string, target: Target): SharedSockets | undefined {
    const known = this.#entries.get(key) ?? this.#byAddress(target);
    if (known === undefined) return undefined;
    const lost = known.bound.find((socket) => socket.isThere?.() === false);
    if (lost === undefined) {
      this.#entries.set(key, known);
      return known;
    }
    // The app has removed the socket's file, as programs do before they listen: nobody would find it.
    this.#drop(known);
    return undefined;
  }

  #byAddress({ addresses: [address = "", ...others], port, ipv6Only }: Target): SharedSockets | undefined {
    if (others.length > 0 || port === 0 || ipv6Only === true) return undefined;
    const wanted = formatAddress(address === "*" ? "::" : address, port);
    return [...this.#shared].find(({ bound }) => bound.length === 1 && bound[0]?.address === wanted);
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
    const named = { port: wish.port, ordinal, ...(wish.ipv6Only && { ipv6Only: true as const }) };
    if (wish.host === null) return { addresses: this.#setup.addressGiven ? address : ["*"], ...named };
    return { addresses: [await oneAddress(wish.host)], ...named };
  }

  async #bind(target: Target): Promise<readonly BoundSocket[]> {
    const { addresses, port, mode, ipv6Only = false } = target;
    const { options, clock, isPrivate, bind = bindSockets } = this.#setup;
    if (isPrivate) return bind({ ...options, address: ["127.0.0.1"], port: 0 }, clock);
    // An app that looks for a free port closes one address before it tries the next, and they may overlap.
    for (const shared of this.#shared) if (shared.isIdle && hasPort(shared, port)) this.#drop(shared);
    // Waiting for what this program itself has is of no use.
    const isOwn = [...this.#shared].some((shared) => hasPort(shared, port));
    const wanted = {
      ...options,
      ...(isOwn && { bindRetry: 0 }),
      port,
      ipv6Only,
      ...(mode !== undefined && { socketMode: mode }),
    };
    if (addresses[0] !== "*") return bind({ ...wanted, address: addresses }, clock);
    return bind({ ...wanted, address: ["::"] }, clock).catch((error: unknown) => {
      // As Node does on a machine without IPv6.
      const code = systemCode(error);
      if (code !== "EAFNOSUPPORT" && code !== "EADDRNOTAVAIL" && code !== "EINVAL") throw error;
      return bind({ ...wanted, address: ["0.0.0.0"] }, clock);
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

  #ready(child: Child, generation: number): void {
    this.#children.set(child, generation);
    if (this.#hasBeenReady) return;
    this.#hasBeenReady = true;
    const used = new Set(this.sockets);
    const unused = this.#setup.passed.filter((socket) => !used.has(socket));
    const addresses = unused.map(({ address }) => address);
    if (unused.length > 0) this.#setup.emit({ event: "sockets-unused", addresses, urls: this.urls });
  }

  #release(child: Child, ask: unknown): void {
    const { clock } = this.#setup;
    for (const shared of this.#shared) {
      shared.release(child, Number(ask), { clock, onIdle: () => this.#drop(shared) });
    }
  }

  /** Gives back what newer code does not ask for any more: clients would wait there for ever. */
  #left(child: Child): void {
    this.#children.delete(child);
    const ready = [...this.#children.values()].filter((generation) => generation !== undefined);
    // When nobody is left that serves, all stays as it is for those who come.
    const newest = Math.max(...ready, Number.NEGATIVE_INFINITY);
    for (const shared of this.#shared) if (shared.left(child, newest)) this.#drop(shared);
  }

  #drop(shared: SharedSockets): void {
    for (const [key, other] of this.#entries) if (other === shared) this.#entries.delete(key);
    shared.close();
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
  readonly ipv6Only?: true;
  readonly isDefault?: true;
}

function hasPort({ bound }: SharedSockets, port: number): boolean {
  return port !== 0 && bound.some(({ address }) => address.endsWith(`:${port}`));
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
