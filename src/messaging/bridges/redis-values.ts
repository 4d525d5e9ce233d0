/** Retained values in a Redis hash: topics are its fields. Runs in the supervisor. */
import type { ValueStore } from "./engine.ts";
import { RECORD_FIELDS } from "./envelope.ts";

/** What is needed of the client: replies as bytes. */
export interface RedisCommander {
  sendCommand(args: readonly (string | Buffer)[], options: { readonly typeMapping: object }): Promise<unknown>;
}

const { version, origin } = RECORD_FIELDS;
/** Lua counts from 1 and includes the end. */
const ORDER = `(r:sub(${version.start + 1}, ${version.end}) .. r:sub(${origin.start + 1}, ${origin.end}))`;
const PUT = `
local function order(r) return ${ORDER} end
local old = redis.call('HGET', KEYS[1], ARGV[1])
if old and order(old) >= order(ARGV[2]) then return order(old) > order(ARGV[2]) and old or false end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return false`;
const REMOVE = `
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end
return false`;
/** Fields read at a time. */
const SCAN = "500";
/** RESP's type byte of a bulk string. */
const AS_BYTES = { typeMapping: { 36: Buffer } };

export class RedisValues implements ValueStore {
  readonly #client: RedisCommander;
  readonly #key: string;

  constructor(client: RedisCommander, key: string) {
    this.#client = client;
    this.#key = key;
  }

  async load(take: (topic: string, record: Buffer) => void): Promise<void> {
    let cursor = "0";
    do {
      // A scan may give a field twice: it is merged twice.
      const reply = await this.#client.sendCommand(["HSCAN", this.#key, cursor, "COUNT", SCAN], AS_BYTES);
      const [next, fields] = reply as [Buffer, Buffer[]];
      for (let at = 0; at + 1 < fields.length; at += 2) {
        const [topic, record] = [fields[at], fields[at + 1]];
        if (topic !== undefined && record !== undefined) take(topic.toString("latin1"), record);
      }
      cursor = next.toString("latin1");
    } while (cursor !== "0");
  }

  async put(topic: string, record: Buffer): Promise<Buffer | undefined> {
    const newer = await this.#client.sendCommand(["EVAL", PUT, "1", this.#key, topic, record], AS_BYTES);
    return Buffer.isBuffer(newer) ? newer : undefined;
  }

  async remove(topic: string, record: Buffer): Promise<void> {
    await this.#client.sendCommand(["EVAL", REMOVE, "1", this.#key, topic, record], AS_BYTES);
  }
}
