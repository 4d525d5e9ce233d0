/** Locks of one machine, kept in the supervisor's memory. Runs in the supervisor; lock-desk.ts asks it. */
import type { Clock } from "../clock.ts";
import { ChoirError, quote } from "../errors.ts";
import type { LockAuthority, LockClaim, LockInfo, LockState } from "./lock-authority.ts";

export interface LocalLocksOptions {
  readonly clock: Clock;
  /** How many bytes `remember` keeps altogether, keys included. Default 16 MB. */
  readonly maxRememberedBytes?: number;
}

/** The claims of one name; gone when it has none. */
interface Queue {
  readonly held: Set<LockClaim>;
  /** In the order they came. */
  readonly waiting: Set<LockClaim>;
}

const DONE = Promise.resolve();
/** Tokens are microseconds of the clock when it allows, so that those of a new supervisor are above those of the one before. */
const TOKENS_PER_MS = 1000;

export class LocalLocks implements LockAuthority {
  readonly #clock: Clock;
  readonly #maxRememberedBytes: number;
  readonly #queues = new Map<string, Queue>();
  readonly #remembered = new Map<string, Uint8Array>();
  #rememberedBytes = 0;
  #lastToken = 0;

  constructor({ clock, maxRememberedBytes = 16 * 1024 * 1024 }: LocalLocksOptions) {
    this.#clock = clock;
    this.#maxRememberedBytes = maxRememberedBytes;
  }

  request(claim: LockClaim): void {
    const { name } = claim;
    let queue = this.#queues.get(name);
    if (queue === undefined) this.#queues.set(name, (queue = { held: new Set(), waiting: new Set() }));
    if (claim.steal) this.#steal(queue, claim);
    else if (queue.waiting.size === 0 && isFree(queue, claim)) this.#grant(queue, claim);
    else if (claim.ifAvailable) claim.unavailable();
    else queue.waiting.add(claim);
  }

  release(claim: LockClaim): Promise<void> {
    const queue = this.#queues.get(claim.name);
    if (queue !== undefined && (queue.held.delete(claim) || queue.waiting.delete(claim))) this.#goOn(claim.name, queue);
    return DONE;
  }

  query(): Promise<LockState> {
    const queues = [...this.#queues.values()];
    return Promise.resolve({
      held: queues.flatMap(({ held }) => [...held].map(describe)),
      pending: queues.flatMap(({ waiting }) => [...waiting].map(describe)),
    });
  }

  recall(key: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.#remembered.get(key));
  }

  remember(key: string, bytes: Uint8Array): Promise<void> {
    const before = this.#remembered.get(key);
    const added = before === undefined ? key.length + bytes.length : bytes.length - before.length;
    if (this.#rememberedBytes + added > this.#maxRememberedBytes) {
      const what = `The result of ${quote(key)} cannot be kept: all results together would be over ${this.#maxRememberedBytes} bytes`;
      return Promise.reject(new ChoirError("ERR_CHOIR_LOCK_LIMIT", what));
    }
    this.#rememberedBytes += added;
    this.#remembered.set(key, bytes);
    return DONE;
  }

  #steal(queue: Queue, claim: LockClaim): void {
    const losers = [...queue.held];
    queue.held.clear();
    // Granted first: what a loser does in its callback finds the lock taken.
    this.#grant(queue, claim);
    for (const loser of losers) {
      loser.lost(
        new ChoirError("ERR_CHOIR_LOCK_STOLEN", `Lock ${quote(claim.name)} was taken by a request with steal`),
      );
    }
  }

  #grant(queue: Queue, claim: LockClaim): void {
    queue.held.add(claim);
    this.#lastToken = Math.max(this.#lastToken + 1, Math.floor(this.#clock.date()) * TOKENS_PER_MS);
    claim.granted(this.#lastToken);
  }

  /** Grants what has become free. */
  #goOn(name: string, queue: Queue): void {
    for (const claim of queue.waiting) {
      if (!isFree(queue, claim)) break;
      queue.waiting.delete(claim);
      this.#grant(queue, claim);
    }
    // A callback may have emptied it, and another one have made a new queue of this name since.
    if (queue.held.size === 0 && queue.waiting.size === 0 && this.#queues.get(name) === queue)
      this.#queues.delete(name);
  }
}

/** Whether it is compatible with what is held. */
function isFree({ held }: Queue, { mode }: LockClaim): boolean {
  if (held.size === 0) return true;
  if (mode === "exclusive") return false;
  const [holder] = held;
  return holder?.mode === "shared";
}

function describe({ name, mode, owner }: LockClaim): LockInfo {
  return { name, mode, owner };
}
