/**
 * Who grants locks: the boundary between the frames of instances (lock-desk.ts) and what keeps the locks. Types only; used in the
 * supervisor. local-locks.ts keeps them in the supervisor's memory, for one machine; an engine between machines brings one of its
 * own. The desk asks the engine's for locks of scope "app" and the local one for scope "machine"; without an engine both are local.
 *
 * What every authority must keep:
 *
 * - A lock is held by one exclusive claim, or by shared ones only. Who asked first gets it first; a shared claim waits behind an
 *   exclusive one that waits.
 * - A claim ends by `release`, which the desk calls when the instance gives it back, gives up, or is gone for whatever reason.
 *   When the supervisor itself dies, the claims must end by themselves (a lease).
 * - A token is greater than every token granted before for the same name, also after the supervisor was started anew.
 * - A lock that can no longer be vouched for (a lease that could not be renewed) is `lost` *before* anybody else may get it, so
 *   that its holder has time to stop.
 */
import type { ChoirError } from "../errors.ts";

export type LockMode = "exclusive" | "shared";

/** An instance, as locks and answers name it. */
export interface Member {
  /** The slot's number: 0-based, the same after a respawn. */
  readonly id: number;
  /** Unique to the process. */
  readonly uid: string;
  /** In answers, when it runs on another machine: its host's name and its supervisor's process id, such as `web-2:4711`. */
  readonly machine?: string;
}

/** A lock wanted, waited for or held by one instance. The object itself is the claim's identity. */
export interface LockClaim {
  /** 1 to 300 bytes in UTF-8, any characters: an engine encodes it for its keys. */
  readonly name: string;
  readonly mode: LockMode;
  /** Do not wait: `unavailable` when it cannot be had at once. */
  readonly ifAvailable: boolean;
  /** Take it from its holders, who have `lost` it, and from those who wait. Always exclusive. */
  readonly steal: boolean;
  readonly owner: Member;

  // What the authority calls: one of the first three, once, perhaps before `request` returns; `lost` at most once after `granted`.
  // After `release` has been called nothing is called any more.

  /** It is held from now on. The token is a safe integer. */
  granted(token: number): void;
  /** With `ifAvailable`: somebody else has it, or waits for it. */
  unavailable(): void;
  /** It cannot be had: the engine has no locks, or cannot be reached and nothing waits for it. */
  refused(error: ChoirError): void;
  /** It is held no longer. `error` says why: ERR_CHOIR_LOCK_LOST or ERR_CHOIR_LOCK_STOLEN. */
  lost(error: ChoirError): void;
}

/** A claim as `query` shows it. */
export interface LockInfo {
  readonly name: string;
  readonly mode: LockMode;
  readonly owner: Member;
}

export interface LockState {
  readonly held: readonly LockInfo[];
  /** In the order in which they will be granted. */
  readonly pending: readonly LockInfo[];
}

export interface LockAuthority {
  /**
   * Until when what it has granted holds unless it is renewed, as a time of the machine (lease.ts). Undefined where nothing has to
   * be renewed.
   */
  readonly leaseEnd?: number | undefined;
  /** Has `listener` called whenever that has become later. */
  onProlonged?(listener: () => void): void;
  /** Takes a claim; its callbacks say what became of it. Never throws. */
  request(claim: LockClaim): void;
  /**
   * Ends a claim, held or waiting; one that has ended already is fine. Resolves when others can have the lock, and never rejects:
   * an engine that cannot be reached is tried again behind it, and the lease ends in any case.
   */
  release(claim: LockClaim): Promise<void>;
  /** All claims of all instances. */
  query(): Promise<LockState>;
  /** Gives what was remembered for a key. Rejects with a ChoirError when the engine cannot be asked. */
  recall(key: string): Promise<Uint8Array | undefined>;
  /**
   * Keeps up to 64 KB for a key, over what was there, for the life of this authority: of the supervisor, or of the engine's store.
   * Called only by who holds an exclusive lock that belongs to the key. Rejects with a ChoirError when it cannot be kept.
   */
  remember(key: string, bytes: Uint8Array): Promise<void>;
}
