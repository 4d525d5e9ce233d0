/** One lock that this instance asked for: waited for, held, given back or lost. Runs in the instance, for lock-client.ts. */
import { ChoirError, quote } from "../errors.ts";
import type { LockMode } from "./lock-authority.ts";
import type { Lock } from "./locks.ts";

/** What came of a key that ran elsewhere. */
export interface OnceOutcome {
  readonly failed: boolean;
  readonly value: unknown;
}

/** A lock as the app's callback gets it. */
export class HeldLock implements Lock {
  readonly name: string;
  readonly mode: LockMode;
  readonly token: number;
  #controller: AbortController | undefined;
  #aborted: { readonly reason: unknown } | undefined;

  constructor({ name, mode }: { name: string; mode: LockMode }, token: number) {
    this.name = name;
    this.mode = mode;
    this.token = token;
  }

  /** Made when it is first asked for: most callbacks do not. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#aborted !== undefined) this.#controller.abort(this.#aborted.reason);
    return this.#controller.signal;
  }

  /** Aborts the signal, once. */
  abort(reason: unknown): void {
    this.#aborted ??= { reason };
    this.#controller?.abort(this.#aborted.reason);
  }
}

export interface ClaimOptions {
  readonly name: string;
  readonly mode: LockMode;
  readonly isLeased: boolean;
  /** Gives up waiting. */
  readonly signal: AbortSignal | undefined;
}

export class Claim {
  readonly id: number;
  readonly name: string;
  /** Resolves with the lock, or with null when it cannot be had at once or `outcome` says the rest. */
  readonly granted: Promise<HeldLock | null>;
  /** Rejects when the lock is lost; never resolves. */
  readonly lost: Promise<never>;
  /** Resolves when others can have the lock, or it is lost. */
  readonly unlocked: Promise<void>;
  /** Whether it holds only as long as the supervisor says so again and again. */
  readonly isLeased: boolean;
  readonly #mode: LockMode;
  /** The lock while it is held. */
  lock: HeldLock | undefined;
  outcome: OnceOutcome | undefined;
  #grant!: (lock: HeldLock | null) => void;
  #refuse!: (error: unknown) => void;
  #lose!: (error: unknown) => void;
  #unlock!: () => void;
  readonly #stopListening: () => void;

  /** `giveUp` is called when the signal aborts while it waits. */
  constructor(id: number, { name, mode, isLeased, signal }: ClaimOptions, giveUp: () => void) {
    this.id = id;
    this.name = name;
    this.isLeased = isLeased;
    this.#mode = mode;
    this.granted = new Promise((resolve, reject) => {
      this.#grant = resolve;
      this.#refuse = reject;
    });
    this.lost = new Promise((_, reject) => (this.#lose = reject));
    this.unlocked = new Promise((resolve) => (this.#unlock = resolve));
    // Nobody may be waiting for these.
    this.granted.catch(() => {});
    this.lost.catch(() => {});
    const abort = (): void => {
      if (this.lock !== undefined) return;
      this.#stopListening();
      giveUp();
      this.#refuse(signal?.reason);
    };
    this.#stopListening = () => signal?.removeEventListener("abort", abort);
    signal?.addEventListener("abort", abort);
  }

  grant(token: number): void {
    this.#stopListening();
    this.lock = new HeldLock({ name: this.name, mode: this.#mode }, token);
    this.#grant(this.lock);
  }

  /** It is not to be had, or has been run elsewhere. */
  miss(outcome?: OnceOutcome): void {
    this.#stopListening();
    this.outcome = outcome;
    this.#grant(null);
  }

  refuse(error: ChoirError): void {
    this.#stopListening();
    this.#refuse(error);
    this.#lose(error);
    this.#unlock();
  }

  lose(error: ChoirError): void {
    // As in the Web Locks API, so that code which knows that can tell.
    const isStolen = error.code === "ERR_CHOIR_LOCK_STOLEN";
    const reason = isStolen ? new DOMException(error.message, { name: "AbortError", cause: error }) : error;
    this.lock?.abort(reason);
    this.#lose(reason);
    this.#unlock();
  }

  unlock(): void {
    this.#unlock();
  }

  /** The pipe is closed. */
  close(error: ChoirError): void {
    if (this.lock === undefined) {
      this.refuse(error);
      return;
    }
    const what = `Lock ${quote(this.name)} is held no longer: the connection to the supervisor is closed`;
    this.lose(new ChoirError("ERR_CHOIR_LOCK_LOST", what, { cause: error }));
  }
}
