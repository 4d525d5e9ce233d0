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

/** One connection, from when it is authenticated until it is lost. */
export interface EngineConnection {
  /** The most bytes that one message may have. */
  readonly maxPayload: number;
  /** Undefined where the engine cannot keep values. */
  readonly values: ValueStore | undefined;
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
  /** Connects once. Rejects when that fails, with what the engine or the system said. */
  connect(listener: EngineListener): Promise<EngineConnection>;
}
