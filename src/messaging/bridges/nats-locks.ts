/**
 * Locks, sessions and what runOnce keeps, in JetStream key-value buckets: a write names the revision that it replaces, and the
 * bucket of the sessions forgets what is not written again in time. Runs in the supervisor.
 */
import type { KV } from "@nats-io/kv";
import type { LockStore, Versioned } from "./engine.ts";
import { isConflict, readAll } from "./nats-values.ts";

export interface LockBuckets {
  readonly locks: KV;
  /** Entries end by themselves after `leaseMs`. */
  readonly sessions: KV;
  readonly leaseMs: number;
  /** The keys of the bucket of the locks that match. */
  readonly keys: (pattern: string) => Promise<string[]>;
  /** Removes what was written as this revision from the bucket of the locks; false when it is not there any more. */
  readonly removeRevision: (revision: number) => Promise<boolean>;
}

/** How long a supervisor's locks outlive it in a bucket that Choir makes, in milliseconds. */
export const LEASE_MS = 10_000;
/** The shortest that can be kept: it is renewed after a fifth of it. */
const SHORTEST_LEASE_MS = 2000;

/** Takes a bucket of sessions as it is; throws when its entries end too soon, or never. */
export function checkLease(bucket: string, ttlMs: number): number {
  if (ttlMs >= SHORTEST_LEASE_MS) return ttlMs;
  const is = ttlMs === 0 ? "no TTL" : `a TTL of ${ttlMs} ms`;
  throw new Error(`its bucket ${bucket} has ${is}, and locks need one of ${SHORTEST_LEASE_MS} ms or more, such as 10s`);
}

export class NatsLocks implements LockStore {
  readonly leaseMs: number;
  readonly #locks: KV;
  readonly #sessions: KV;
  readonly #keys: LockBuckets["keys"];
  readonly #removeRevision: LockBuckets["removeRevision"];

  constructor({ locks, sessions, leaseMs, keys, removeRevision }: LockBuckets) {
    this.leaseMs = leaseMs;
    this.#locks = locks;
    this.#sessions = sessions;
    this.#keys = keys;
    this.#removeRevision = removeRevision;
  }

  async read(name: string): Promise<Versioned> {
    const entry = await this.#locks.get(LOCK + keyOf(name));
    const bytes = entry?.operation === "PUT" ? Buffer.from(entry.value) : undefined;
    return { bytes, revision: entry?.revision ?? 0 };
  }

  async write(name: string, bytes: Buffer | undefined, revision: number): Promise<number | undefined> {
    const key = LOCK + keyOf(name);
    try {
      if (bytes !== undefined) return await this.#locks.put(key, bytes, { previousSeq: revision });
    } catch (error) {
      if (isConflict(error)) return undefined;
      throw error;
    }
    // The bucket's own removal would leave a trace of every name for ever. A write that replaced this one has removed it already.
    return (await this.#removeRevision(revision)) ? revision : undefined;
  }

  async list(take: (name: string, bytes: Buffer) => void): Promise<void> {
    await readAll(this.#locks, await this.#keys(`${LOCK}>`), (key, bytes) =>
      take(nameOf(key.slice(LOCK.length)), bytes),
    );
  }

  async renew(session: string): Promise<void> {
    await this.#sessions.put(session, ALIVE);
  }

  async isAlive(session: string): Promise<boolean> {
    return (await this.#sessions.get(session))?.operation === "PUT";
  }

  async end(session: string): Promise<void> {
    await this.#sessions.purge(session);
  }

  async recall(key: string): Promise<Buffer | undefined> {
    const entry = await this.#locks.get(ONCE + keyOf(key));
    return entry?.operation === "PUT" ? Buffer.from(entry.value) : undefined;
  }

  async remember(key: string, bytes: Uint8Array): Promise<void> {
    await this.#locks.put(ONCE + keyOf(key), bytes);
  }
}

const LOCK = "lock.";
const ONCE = "once.";
const ALIVE = new Uint8Array([1]);

/** Names have any characters, keys have few. */
function keyOf(name: string): string {
  return Buffer.from(name).toString("base64url");
}

function nameOf(key: string): string {
  return Buffer.from(key, "base64url").toString("utf8");
}
