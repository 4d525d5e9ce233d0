/**
 * Has `listen()` of every server in the process ask the supervisor for its socket, so that a file which knows nothing of Choir runs
 * in several instances. Runs in an instance of `choir start`, before the app's first line (docs/decisions/0019).
 */
import net from "node:net";
import type { ChoirError } from "../errors.ts";
import type { SocketWish } from "../protocol.ts";
import { readListenCall } from "./listen-arguments.ts";
import { Refusal } from "./socket-inbox.ts";
import { refusalError } from "./refusals.ts";

/** What is done with the servers. */
export interface ListenTarget {
  listen(server: net.Server, wish: SocketWish, file?: string): Promise<void>;
  /** A server listens on something of its own, which is not shared. */
  listenAlone(server: net.Server): void;
  withdraw(server: net.Server): void;
  /** The app has closed a server. */
  closed(server: net.Server): void;
}

export interface ListenPatch {
  /** Resolved when the app has called `listen()` for the first time. */
  readonly called: Promise<void>;
  readonly wasCalled: boolean;
  /** Resolves as soon as every call has been answered and `isServing` is true. */
  settled(isServing: () => boolean): Promise<void>;
}

/** Called when an address was refused, with the error that the app gets and the one that Choir has for it. */
export type OnRefused = (thrown: Error, error: ChoirError) => void;

/** Replaces `listen` and `close` of all servers. */
export function patchListen(target: ListenTarget, onRefused: OnRefused): ListenPatch {
  const prototype = net.Server.prototype as { listen: Listen; close: Close };
  const { listen, close } = prototype;
  const pending = new Set<net.Server>();
  let ordinal = 0;
  const calls = new Calls();
  prototype.listen = function listenByChoir(this: net.Server, ...args) {
    const call = readListenCall(args, () => ordinal++);
    calls.begin();
    if (pending.has(this)) throw listensTwice();
    if (call.wish === undefined || this.listening) {
      target.listenAlone(this);
      this.once("listening", () => calls.answer());
      return listen.apply(this, args);
    }
    pending.add(this);
    if (call.callback !== undefined) this.once("listening", call.callback);
    closeOnAbort(this, call.signal);
    const answered = (): void => {
      pending.delete(this);
      calls.answer();
    };
    const refused = (thrown: unknown): void => {
      answered();
      // Outside of the promise: an error that the app does not listen for is thrown, as it is without Choir.
      process.nextTick(() => this.emit("error", errorFor(thrown, call.wish, onRefused)));
    };
    target.listen(this, call.wish, call.path).then(answered, refused);
    return this;
  };
  prototype.close = function closeByChoir(this: net.Server, ...args) {
    if (pending.delete(this)) target.withdraw(this);
    close.apply(this, args);
    target.closed(this);
    return this;
  };
  return patchOf(calls, pending);
}

/** As Node does it: a signal that was given already closes what has only begun to listen. */
function closeOnAbort(server: net.Server, signal: AbortSignal | undefined): void {
  const close = (): void => void server.close();
  if (signal?.aborted) process.nextTick(close);
  else signal?.addEventListener("abort", close, { once: true });
}

function patchOf(calls: Calls, pending: ReadonlySet<net.Server>): ListenPatch {
  return {
    called: calls.first,
    get wasCalled() {
      return calls.any;
    },
    async settled(isServing) {
      do await calls.nextAnswer();
      while (pending.size > 0 || !isServing());
    },
  };
}

/** The calls of `listen()` so far, for those who wait. */
class Calls {
  readonly first: Promise<void>;
  any = false;
  #call: () => void = () => {};
  #waiting: (() => void)[] = [];
  #answered = false;

  constructor() {
    this.first = new Promise((resolve) => {
      this.#call = resolve;
    });
  }

  begin(): void {
    this.any = true;
    this.#call();
  }

  answer(): void {
    this.#answered = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Resolves a turn after an answer that has not been waited for yet. */
  async nextAnswer(): Promise<void> {
    if (!this.#answered) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#answered = false;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

type Listen = (this: net.Server, ...args: unknown[]) => net.Server;
type Close = (this: net.Server, ...args: unknown[]) => net.Server;

function errorFor(thrown: unknown, wish: SocketWish | undefined, onRefused: OnRefused): unknown {
  if (!(thrown instanceof Refusal)) return thrown;
  const { error, ours } = refusalError(thrown.refused, wish);
  onRefused(error, ours);
  return error;
}

function listensTwice(): Error {
  return Object.assign(new Error("Listen method has been called more than once without closing."), {
    code: "ERR_SERVER_ALREADY_LISTEN",
  });
}
