/** Locks, leaders and things done once, as apps see them; types only. Used in instances; lock-client.ts implements them. */
import type { LockMode } from "./lock-authority.ts";

/**
 * How far a lock reaches. "app": all instances of the app, on all machines when an engine is set (--pub-sub-url). "machine": the
 * instances of this supervisor, whatever is set. Without an engine both are the same.
 */
export type LockScope = "app" | "machine";

export interface LockOptions {
  /** "shared" locks can be held by several at a time. Default "exclusive". */
  readonly mode?: LockMode;
  /** Does not wait: the callback gets null when the lock cannot be had at once. Default false. */
  readonly ifAvailable?: boolean;
  /** Takes the lock from whoever holds it, whose promise rejects and whose `signal` aborts. Default false. */
  readonly steal?: boolean;
  /** Gives up waiting: the promise rejects with the signal's reason. Without effect once the lock is held. */
  readonly signal?: AbortSignal;
  /** Default "app". */
  readonly scope?: LockScope;
}

/** A lock that is held. */
export interface Lock {
  readonly name: string;
  readonly mode: LockMode;
  /**
   * Greater than the token of every lock of this name that was granted before: send it with what you write, and let the store
   * refuse a smaller one than it has seen (a fencing token). A safe integer.
   */
  readonly token: number;
  /**
   * Aborts when the lock is held no longer although the callback has not returned: it was stolen, its lease could not be renewed,
   * or the supervisor is gone. Also when the instance has answered its last request and is going to end.
   */
  readonly signal: AbortSignal;
}

/** A lock as `query` shows it. `leader` and `runOnce` use locks whose names begin with `-leader:` and `-once:`. */
export interface LockDescription {
  readonly name: string;
  readonly mode: LockMode;
  /** The instance's uid. */
  readonly clientId: string;
  /** The instance's id. */
  readonly instance: number;
  readonly scope: LockScope;
}

export interface LockSnapshot {
  readonly held: readonly LockDescription[];
  readonly pending: readonly LockDescription[];
}

export interface LeaderOptions {
  /** Stands down for good, as `stop()` does. */
  readonly signal?: AbortSignal;
  /** Default "app". */
  readonly scope?: LockScope;
}

/** This instance's candidacy. */
export interface Leadership {
  readonly name: string;
  /** Whether this instance leads at the moment. */
  readonly isLeader: boolean;
  /** Stands down for good. Resolves when the callback has come to its end and others can lead. */
  stop(): Promise<void>;
}

export interface OnceOptions {
  /** Gives up waiting for the others: the promise rejects with the signal's reason. Without effect once the callback runs here. */
  readonly signal?: AbortSignal;
  /** Default "app". */
  readonly scope?: LockScope;
}

/**
 * Locks between the instances, after the Web Locks API. A lock ends when its callback has come to its end, or when its instance
 * does: by a crash, by kill -9, or by losing the pipe to its supervisor.
 */
export interface Locks {
  /**
   * Waits for the lock, runs `callback` while it is held, and resolves with its result; who asked first gets it first. A name has
   * 1 to 255 bytes and does not begin with `-`. Requests do not know each other: a callback that requests the lock it runs under
   * waits for ever.
   * @throws ChoirError ERR_CHOIR_LOCK (a wrong name or options), ERR_CHOIR_LOCK_LIMIT, ERR_CHOIR_LOCK_LOST, ERR_CHOIR_PUBSUB_CLOSED;
   * an AbortError when the lock was stolen; the signal's reason; all as a rejection.
   */
  request<T>(name: string, callback: (lock: Lock) => T | PromiseLike<T>): Promise<T>;
  request<T>(
    name: string,
    options: LockOptions & { readonly ifAvailable?: false },
    callback: (lock: Lock) => T | PromiseLike<T>,
  ): Promise<T>;
  request<T>(name: string, options: LockOptions, callback: (lock: Lock | null) => T | PromiseLike<T>): Promise<T>;

  /** What is held and waited for by all instances. */
  query(): Promise<LockSnapshot>;

  /**
   * Runs `callback` in one instance at a time, as long as there is one: its signal aborts when this instance no longer leads, and
   * another one leads when the callback has come to its end. An instance that drains stands down. Returning does not: a callback
   * that sets a timer leads until its signal aborts. One that throws is logged and lets another instance lead.
   *
   * Resolves when the supervisor knows of the candidate, whoever leads.
   * @throws ChoirError ERR_CHOIR_LOCK, ERR_CHOIR_PUBSUB_CLOSED; as a rejection.
   */
  leader(
    name: string,
    callback: (signal: AbortSignal, lock: Lock) => unknown,
    options?: LeaderOptions,
  ): Promise<Leadership>;

  /**
   * Runs `callback` in one instance, once for each key in this supervisor's life (with an engine: in that of its store). Whoever
   * calls it with that key gets the result, which is JSON or a `Uint8Array` of at most 64 KB; those who wait while it throws get
   * the error, as a `RemoteError`. What threw is not done: who calls later runs it anew, as does one who waits when the instance
   * that ran it has ended.
   * @throws ChoirError ERR_CHOIR_LOCK, ERR_CHOIR_LOCK_LIMIT, ERR_CHOIR_LOCK_LOST, ERR_CHOIR_VALUE, ERR_CHOIR_PUBSUB_CLOSED; what the
   * callback throws; as a rejection.
   */
  runOnce<T>(key: string, callback: (lock: Lock) => T | PromiseLike<T>, options?: OnceOptions): Promise<T>;
}
