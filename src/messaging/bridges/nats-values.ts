/** Retained values in a JetStream key-value bucket: topics are keys, since their characters are the same. Runs in the supervisor. */
import type { KV } from "@nats-io/kv";
import type { ValueStore } from "./engine.ts";
import { isNewerRecord } from "./envelope.ts";

export interface ValueBucket {
  readonly values: KV;
  /** The keys of it that match. */
  readonly valueKeys: (pattern: string) => Promise<string[]>;
}

/** JetStream's code for a write that came after another one. */
const WRONG_LAST_SEQUENCE = 10_071;
/** Entries read at a time. */
const READS = 64;
/** How often a write is tried against others of the same topic. */
const TRIES = 20;

export class NatsValues implements ValueStore {
  readonly #bucket: KV;
  readonly #keys: ValueBucket["valueKeys"];

  constructor({ values, valueKeys }: ValueBucket) {
    this.#bucket = values;
    this.#keys = valueKeys;
  }

  async load(take: (topic: string, record: Buffer) => void): Promise<void> {
    await readAll(this.#bucket, await this.#keys(">"), take);
  }

  async put(topic: string, record: Buffer): Promise<Buffer | undefined> {
    for (let attempt = 1; ; attempt++) {
      const entry = await this.#bucket.get(topic);
      if (entry?.operation === "PUT" && !isNewerRecord(record, entry.value)) {
        return isNewerRecord(entry.value, record) ? Buffer.from(entry.value) : undefined;
      }
      try {
        await this.#bucket.put(topic, record, { previousSeq: entry?.revision ?? 0 });
        return undefined;
      } catch (error) {
        if (!isConflict(error) || attempt === TRIES) throw error;
      }
    }
  }

  async remove(topic: string, record: Buffer): Promise<void> {
    const entry = await this.#bucket.get(topic);
    if (entry === null || !record.equals(entry.value)) return;
    await this.#bucket.purge(topic, { previousSeq: entry.revision });
  }
}

/** Gives what keys have. The bucket's own watch waits for ever for an entry that is replaced while it counts. */
export async function readAll(
  bucket: KV,
  keys: readonly string[],
  take: (key: string, bytes: Buffer) => void,
): Promise<void> {
  for (let from = 0; from < keys.length; from += READS) {
    const entries = await Promise.all(keys.slice(from, from + READS).map((key) => bucket.get(key)));
    for (const entry of entries) if (entry?.operation === "PUT") take(entry.key, Buffer.from(entry.value));
  }
}

/** Whether another write was first. */
export function isConflict(error: unknown): boolean {
  return (error as { code?: unknown }).code === WRONG_LAST_SEQUENCE;
}
