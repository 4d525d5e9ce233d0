/**
 * NATS as the engine between machines: subjects for messages; JetStream key-value buckets for retained values and locks where the
 * server has JetStream. Runs in the supervisor, which loads it only with --pub-sub-url nats:// or tls://.
 */
import type * as JetStream from "@nats-io/jetstream";
import type * as Kv from "@nats-io/kv";
import type * as Transport from "@nats-io/transport-node";
import type { NatsConnection, NodeConnectionOptions, Subscription } from "@nats-io/transport-node";
import { describeThrown } from "../../errors.ts";
import type { Engine, EngineConnection, EngineListener, Outbound } from "./engine.ts";
import { loadOptional } from "./load-optional.ts";
import { prefixToken } from "./names.ts";
import { LEASE_MS, type LockBuckets, NatsLocks, checkLease } from "./nats-locks.ts";
import { NatsValues, type ValueBucket } from "./nats-values.ts";
import type { EngineAccess } from "./access.ts";

interface Packages {
  readonly transport: typeof Transport;
  readonly jetstream: typeof JetStream;
  readonly kv: typeof Kv;
}

const CONNECT_MS = 5000;
/** The client's own look at a silent connection; the bridge's greeting is quicker where there is traffic. */
const PING_MS = 10_000;

/** Loads the client; `prefix` is the app's name. Rejects with a ChoirError that says what to install. */
export async function openNats(access: EngineAccess, prefix: string): Promise<Engine> {
  const packages: Packages = {
    transport: await loadOptional("nats", () => import("@nats-io/transport-node")),
    jetstream: await loadOptional("nats", () => import("@nats-io/jetstream")),
    kv: await loadOptional("nats", () => import("@nats-io/kv")),
  };
  return {
    kind: "nats",
    url: access.shown,
    hasLocks: true,
    connect: async (listener) => {
      const connection = await packages.transport.connect(connectOptions(packages, access));
      return NatsEngineConnection.open(connection, { packages, prefix, listener });
    },
  };
}

/** Reconnecting is the bridge's: it is the same for every engine, and knows what was not sent. */
function connectOptions({ transport }: Packages, access: EngineAccess): NodeConnectionOptions {
  const { servers, user, password, tls, credentials } = access;
  return {
    servers: [...servers],
    name: "choir",
    reconnect: false,
    timeout: CONNECT_MS,
    pingInterval: PING_MS,
    // A name without a password is NATS's token.
    ...(user !== undefined && password === undefined && { token: user }),
    ...(password !== undefined && { user: user ?? "", pass: password }),
    ...(credentials !== undefined && { authenticator: transport.credsAuthenticator(credentials) }),
    ...(tls !== undefined && { tls }),
  };
}

interface Context {
  readonly packages: Packages;
  readonly prefix: string;
  readonly listener: EngineListener;
}

class NatsEngineConnection implements EngineConnection {
  readonly closed: Promise<unknown>;
  readonly values: NatsValues | undefined;
  readonly locks: NatsLocks | undefined;
  readonly maxPayload: number;
  readonly #connection: NatsConnection;
  readonly #listener: EngineListener;
  /** Ends the waits for the server's confirmation: a client that is closed leaves them open. */
  readonly #unconfirmed = new Set<(reason: unknown) => void>();
  readonly #subscriptions = new Map<string, Subscription>();

  private constructor(connection: NatsConnection, buckets: Buckets | undefined, listener: EngineListener) {
    this.#connection = connection;
    this.#listener = listener;
    this.maxPayload = connection.info?.max_payload ?? 1024 * 1024;
    this.values = buckets === undefined ? undefined : new NatsValues(buckets);
    this.locks = buckets === undefined ? undefined : new NatsLocks(buckets);
    this.closed = connection.closed().then((error) => error ?? new Error("the connection was closed"));
    void this.closed.then((reason) => {
      for (const reject of this.#unconfirmed) reject(reason);
    });
    void this.#watch();
  }

  static async open(
    connection: NatsConnection,
    { packages, prefix, listener }: Context,
  ): Promise<NatsEngineConnection> {
    const buckets = await openBuckets(connection, packages, prefix).catch((error: unknown) => {
      if (connection.isClosed()) throw error;
      listener.warning(
        `There are no locks between machines, and retained values are not kept for those that join later, since JetStream cannot be used: ${describeThrown(error)}`,
      );
      return undefined;
    });
    return new NatsEngineConnection(connection, buckets, listener);
  }

  async send(messages: readonly Outbound[]): Promise<void> {
    for (const { subject, data } of messages) this.#connection.publish(subject, data);
    await new Promise<void>((resolve, reject) => {
      this.#unconfirmed.add(reject);
      this.#connection
        .flush()
        .then(resolve, reject)
        .finally(() => this.#unconfirmed.delete(reject));
    });
  }

  subscribe(pattern: string): void {
    if (this.#subscriptions.has(pattern) || this.#connection.isClosed()) return;
    const subscription = this.#connection.subscribe(pattern, {
      callback: (error, message) => {
        if (error === null) this.#listener.message(message.subject, message.data);
        else this.#listener.warning(`Subscription to ${pattern} ended: ${error.message}`);
      },
    });
    this.#subscriptions.set(pattern, subscription);
  }

  unsubscribe(pattern: string): void {
    this.#subscriptions.get(pattern)?.unsubscribe();
    this.#subscriptions.delete(pattern);
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  /** What the server refuses comes later than the call that it is about. */
  async #watch(): Promise<void> {
    for await (const status of this.#connection.status()) {
      if (status.type === "error") this.#listener.warning(status.error.message);
    }
  }
}

interface Buckets extends LockBuckets, ValueBucket {}

/** Opens them as they are, or makes them: who wants replicas makes them before. */
async function openBuckets(connection: NatsConnection, { kv, jetstream }: Packages, prefix: string): Promise<Buckets> {
  const manager = new kv.Kvm(connection);
  const name = `choir_${bucketToken(prefix)}`;
  // Only the leader of a replicated bucket knows its last write.
  const [values, locks, sessions] = await Promise.all([
    manager.create(`${name}_retained`, { history: 1 }),
    manager.create(`${name}_locks`, { history: 1, allow_direct: false }),
    manager.create(`${name}_sessions`, { history: 1, allow_direct: false, ttl: LEASE_MS }),
  ]);
  // Whoever made it before chose the time.
  const leaseMs = checkLease(`${name}_sessions`, (await sessions.status()).ttl);
  const { streams } = await jetstream.jetstreamManager(connection);
  const removeRevision = async (revision: number): Promise<boolean> => {
    try {
      return await streams.deleteMessage(`KV_${name}_locks`, revision, false);
    } catch (error) {
      if (error instanceof jetstream.JetStreamApiError) return false;
      throw error;
    }
  };
  const keysOf =
    (bucket: string) =>
    async (pattern: string): Promise<string[]> => {
      const prefix = `$KV.${bucket}.`;
      const { state } = await streams.info(`KV_${bucket}`, { subjects_filter: prefix + pattern });
      return Object.keys(state.subjects ?? {}).map((subject) => subject.slice(prefix.length));
    };
  return {
    values,
    valueKeys: keysOf(`${name}_retained`),
    locks,
    keys: keysOf(`${name}_locks`),
    sessions,
    leaseMs,
    removeRevision,
  };
}

/** A bucket's name has letters, digits, `_` and `-` only. */
function bucketToken(prefix: string): string {
  return prefixToken(prefix).replaceAll(/[^A-Za-z0-9-]/g, (char) => `_${char.charCodeAt(0).toString(16)}`);
}
