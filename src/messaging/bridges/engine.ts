/**
 * What a bridge needs of an engine, NATS or Redis: the contract between bridge.ts and nats.ts, redis.ts. Types only. Used in the
 * supervisor.
 *
 * Subjects are tokens joined by dots with NATS's wildcards; an engine with another syntax translates them.
 */

/** A message on its way to the engine. */
export interface Outbound {
  readonly subject: string;
  readonly data: Buffer;
}

/** What an engine tells while it is connected. */
export interface EngineListener {
  /** A message to one of the subjects subscribed to. Comes once for each subscription that matches. */
  message(subject: string, data: Uint8Array): void;
  /** Something was refused or is missing, and the connection lives on. */
  warning(text: string): void;
}

/** Retained values as the engine keeps them, for supervisors that join later: records of retained-values.ts by topic. */
export interface ValueStore {
  /** Gives every record that there is. */
  load(take: (topic: string, record: Buffer) => void): Promise<void>;
  /** Keeps a record unless a newer one is there, which is then given back. */
  put(topic: string, record: Buffer): Promise<Buffer | undefined>;
  /** Forgets a record, if it is still this one. */
  remove(topic: string, record: Buffer): Promise<void>;
}

/** What the engine keeps under a name, and when it was written last: a number that only grows, whatever is written or removed. */
export interface Versioned {
  /** Undefined when there is nothing. */
  readonly bytes: Buffer | undefined;
  /** Tells `write` what it replaces. */
  readonly revision: number;
}

/** Locks as the engine keeps them: a record for each name, and sessions that end by themselves. All of it rejects without connection. */
export interface LockStore {
  /** How long a session lives after it was renewed, in milliseconds, by the engine's clock. */
  readonly leaseMs: number;
  read(name: string): Promise<Versioned>;
  /** Writes what replaces a revision; its own one is given back, undefined when another write was first. */
  write(name: string, bytes: Buffer | undefined, revision: number): Promise<number | undefined>;
  /** Every record that there is. */
  list(take: (name: string, bytes: Buffer) => void): Promise<void>;
  /** Begins or renews a session. */
  renew(session: string): Promise<void>;
  isAlive(session: string): Promise<boolean>;
  end(session: string): Promise<void>;
  recall(key: string): Promise<Buffer | undefined>;
  remember(key: string, bytes: Uint8Array): Promise<void>;
}

/** One connection, from when it is authenticated until it is lost. */
export interface EngineConnection {
  /** The most bytes that one message may have. */
  readonly maxPayload: number;
  /** Undefined where the engine cannot keep values. */
  readonly values: ValueStore | undefined;
  /** Undefined where the engine cannot keep locks. */
  readonly locks: LockStore | undefined;
  /** Resolves when the connection is lost or closed, with the reason. Never rejects. */
  readonly closed: Promise<unknown>;
  /** Sends in order; resolves when the engine has all of them, rejects when the connection was lost before. */
  send(messages: readonly Outbound[]): Promise<void>;
  /** Holds for what is sent later. */
  subscribe(pattern: string): void;
  unsubscribe(pattern: string): void;
  close(): Promise<void>;
}

/** An engine that can be connected to again and again. */
export interface Engine {
  readonly kind: "nats" | "redis";
  /** Where it is, without user and password. */
  readonly url: string;
  /** Whether it can keep locks at all. */
  readonly hasLocks: boolean;
  /** Connects once. Rejects when that fails, with what the engine or the system said. */
  connect(listener: EngineListener): Promise<EngineConnection>;
}
