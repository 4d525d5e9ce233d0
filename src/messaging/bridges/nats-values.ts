/** Retained values in a JetStream key-value bucket: topics are keys, since their characters are the same. Runs in the supervisor. */
import type { KV } from "@nats-io/kv";
import type { ValueStore } from "./engine.ts";
import { isNewerRecord } from "./envelope.ts";

/** JetStream's code for a write that came after another one. */
const WRONG_LAST_SEQUENCE = 10_071;
/** How often a write is tried against others of the same topic. */
const TRIES = 20;

export class NatsValues implements ValueStore {
  readonly #bucket: KV;

  constructor(bucket: KV) {
    this.#bucket = bucket;
  }

  async load(take: (topic: string, record: Buffer) => void): Promise<void> {
    const { values } = await this.#bucket.status();
    if (values === 0) return;
    const entries = await this.#bucket.watch();
    for await (const entry of entries) {
      if (entry.operation === "PUT") take(entry.key, Buffer.from(entry.value));
      // What is left is told with each entry: the rest of the watch would be what comes later.
      if (entry.delta === 0) break;
    }
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

function isConflict(error: unknown): boolean {
  return (error as { code?: unknown }).code === WRONG_LAST_SEQUENCE;
}
