/** An engine within the process that several bridges connect to: it delivers once for each subscription, as NATS and Redis do. */
import type {
  Engine,
  EngineConnection,
  EngineListener,
  Outbound,
  ValueStore,
} from "../../../../src/messaging/bridges/engine.ts";
import { isNewerRecord } from "../../../../src/messaging/bridges/envelope.ts";
import { matches } from "../../../../src/messaging/topics.ts";

class FakeConnection implements EngineConnection {
  readonly values: ValueStore;
  readonly locks = undefined;
  readonly closed: Promise<unknown>;
  readonly patterns = new Set<string>();
  readonly listener: EngineListener;
  readonly #hub: FakeHub;
  #close: (reason: unknown) => void = () => {};

  constructor(hub: FakeHub, listener: EngineListener) {
    this.#hub = hub;
    this.listener = listener;
    this.values = hub.store;
    this.closed = new Promise((resolve) => {
      this.#close = resolve;
    });
  }

  get maxPayload(): number {
    return this.#hub.maxPayload;
  }

  async send(messages: readonly Outbound[]): Promise<void> {
    await Promise.resolve();
    // Stalled: taken, and never confirmed.
    if (this.#hub.stalled) await this.closed;
    if (!this.#hub.connections.has(this)) throw new Error("not connected");
    for (const message of messages) this.#hub.deliver(message);
    if (this.#hub.losesConfirmations) this.lose("lost before the confirmation");
    if (!this.#hub.connections.has(this)) throw new Error("not connected");
  }

  subscribe(pattern: string): void {
    this.patterns.add(pattern);
  }

  unsubscribe(pattern: string): void {
    this.patterns.delete(pattern);
  }

  lose(reason: string): void {
    this.#hub.connections.delete(this);
    this.#close(new Error(reason));
  }

  close(): Promise<void> {
    this.lose("closed");
    return Promise.resolve();
  }
}

export class FakeHub {
  readonly connections = new Set<FakeConnection>();
  readonly records = new Map<string, Buffer>();
  /** Everything that was sent, by subject. */
  readonly log: string[] = [];
  maxPayload = 1024 * 1024;
  up = true;
  stalled = false;
  /** The connection is lost right after each delivery, before the sender knows of it. */
  losesConfirmations = false;

  readonly store: ValueStore = {
    load: async (take) => {
      await Promise.resolve();
      for (const [topic, record] of this.records) take(topic, record);
    },
    put: async (topic, record) => {
      await Promise.resolve();
      const old = this.records.get(topic);
      if (old !== undefined && !isNewerRecord(record, old)) return isNewerRecord(old, record) ? old : undefined;
      this.records.set(topic, record);
      return undefined;
    },
    remove: async (topic) => {
      await Promise.resolve();
      this.records.delete(topic);
    },
  };

  engine(): Engine {
    return {
      kind: "nats",
      url: "nats://fake",
      hasLocks: false,
      connect: async (listener) => {
        await Promise.resolve();
        if (!this.up) throw new Error("refused");
        const connection = new FakeConnection(this, listener);
        this.connections.add(connection);
        return connection;
      },
    };
  }

  deliver({ subject, data }: Outbound): void {
    this.log.push(subject);
    for (const { patterns, listener } of this.connections) {
      for (const pattern of patterns) if (matches(pattern, subject)) listener.message(subject, data);
    }
  }

  /** Every connection is lost, and none can be made. */
  down(): void {
    this.up = false;
    for (const connection of this.connections) connection.lose("the engine died");
  }
}
