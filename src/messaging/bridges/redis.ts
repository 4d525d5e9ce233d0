/**
 * Redis as the engine between machines: channels for messages, a hash for retained values. Runs in the supervisor, which loads it
 * only with --pub-sub-url redis:// or rediss://. One connection does both: RESP3, so Redis 6 or newer.
 */
import { isIPv6 } from "node:net";
import type * as Redis from "redis";
import { describeThrown } from "../../errors.ts";
import { hasWildcard } from "../topics.ts";
import type { EngineAccess } from "./access.ts";
import type { Engine, EngineConnection, EngineListener, Outbound } from "./engine.ts";
import { loadOptional } from "./load-optional.ts";
import { prefixToken } from "./names.ts";
import { RedisValues } from "./redis-values.ts";

type RedisPackage = typeof Redis;
type Client = ReturnType<typeof createClient>;

const CONNECT_MS = 5000;
/** Redis takes 512 MB; in parts nothing of Choir's is that long. */
const MAX_PAYLOAD = 64 * 1024 * 1024;

/** Loads the client; `prefix` is the app's name. Rejects with a ChoirError that says what to install. */
export async function openRedis(access: EngineAccess, prefix: string): Promise<Engine> {
  const redis = await loadOptional("redis", () => import("redis"));
  return {
    kind: "redis",
    url: access.shown,
    hasLocks: false,
    connect: async (listener) => {
      const client = createClient(redis, access);
      const connection = new RedisEngineConnection(client, { key: `${prefixToken(prefix)}.$retained`, listener });
      try {
        await client.connect();
      } catch (error) {
        client.destroy();
        throw error;
      }
      return connection;
    },
  };
}

/** Reconnecting is the bridge's: it is the same for every engine, and knows what was not sent. */
function createClient(redis: RedisPackage, { servers, user, password, tls }: EngineAccess) {
  const { hostname, port } = new URL(`redis://${servers[0]}`);
  const host = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
  const socket = { host, port: Number(port || 6379), connectTimeout: CONNECT_MS, reconnectStrategy: false } as const;
  // A name to verify the certificate by; an address is none.
  const named = isIPv6(host) || /^[\d.]+$/.test(host) ? {} : { servername: host };
  return redis.createClient({
    RESP: 3,
    name: "choir",
    disableOfflineQueue: true,
    maintNotifications: "disabled",
    ...(user !== undefined && user !== "" && { username: user }),
    ...(password !== undefined && { password }),
    socket: tls === undefined ? socket : { ...socket, ...named, ...tls, tls: true },
  });
}

interface Context {
  /** The hash of the retained values. */
  readonly key: string;
  readonly listener: EngineListener;
}

class RedisEngineConnection implements EngineConnection {
  readonly maxPayload = MAX_PAYLOAD;
  readonly locks = undefined;
  readonly closed: Promise<unknown>;
  readonly values: RedisValues;
  readonly #client: Client;
  readonly #listener: EngineListener;
  /** How many of our patterns each channel or glob stands for: `a.*` and `a.>` are the same to Redis. */
  readonly #channels = new Map<string, number>();

  constructor(client: Client, { key, listener }: Context) {
    this.#client = client;
    this.#listener = listener;
    this.values = new RedisValues(client, key);
    this.closed = new Promise((resolve) => {
      let reason: unknown;
      client.on("error", (error: unknown) => {
        reason = error;
        if (!client.isOpen) resolve(error);
      });
      client.on("end", () => resolve(reason ?? new Error("the connection was closed")));
      client.on("terminated", (cause: unknown) => resolve(cause ?? reason));
    });
  }

  async send(messages: readonly Outbound[]): Promise<void> {
    const sent = await Promise.allSettled(messages.map(({ subject, data }) => this.#client.publish(subject, data)));
    const refused = sent.find((each) => each.status === "rejected");
    if (refused === undefined) return;
    if (!this.#client.isReady) throw refused.reason;
    // An access rule, not the connection: sent again it would be refused again.
    this.#listener.warning(`Publishing was refused: ${describeThrown(refused.reason)}`);
  }

  subscribe(pattern: string): void {
    const glob = globOf(pattern);
    const before = this.#channels.get(glob) ?? 0;
    this.#channels.set(glob, before + 1);
    if (before > 0) return;
    const done = isGlob(glob)
      ? this.#client.pSubscribe(glob, this.#take, true)
      : this.#client.subscribe(glob, this.#take, true);
    done.catch((error: unknown) => {
      if (this.#client.isReady) this.#listener.warning(`Subscription to ${glob} was refused: ${describeThrown(error)}`);
    });
  }

  unsubscribe(pattern: string): void {
    const glob = globOf(pattern);
    const left = (this.#channels.get(glob) ?? 0) - 1;
    if (left > 0) {
      this.#channels.set(glob, left);
      return;
    }
    if (!this.#channels.delete(glob)) return;
    const done = isGlob(glob)
      ? this.#client.pUnsubscribe(glob, this.#take, true)
      : this.#client.unsubscribe(glob, this.#take, true);
    done.catch(() => {});
  }

  close(): Promise<void> {
    if (this.#client.isOpen) this.#client.destroy();
    return Promise.resolve();
  }

  readonly #take = (message: Buffer, channel: Buffer): void => {
    this.#listener.message(channel.toString("latin1"), message);
  };
}

/** A pattern of ours in Redis's form, where a `*` also takes dots: what comes too much the broker leaves out. */
function globOf(pattern: string): string {
  return hasWildcard(pattern) ? pattern.replace(/>$/, "*") : pattern;
}

function isGlob(glob: string): boolean {
  return glob.includes("*");
}
