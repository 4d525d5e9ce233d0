/** Pub/sub within one process, over the same broker and clients: for running without a supervisor, and for tests. */
import { duplexPair } from "node:stream";
import { Broker, type BrokerOptions } from "./broker.ts";
import { PubSubClient } from "./client.ts";

export interface LocalPubSubOptions {
  /** Told what a handler threw, or what went wrong on a pipe, and at which client. */
  readonly onHandlerError: (error: unknown, topic: string, client: number) => void;
  /** Told what a leader's callback threw, and at which client. */
  readonly onLeaderError?: (error: unknown, leader: string, client: number) => void;
  readonly broker?: BrokerOptions;
  /** The uid of each client's instance. Default its index. */
  readonly uids?: readonly string[];
}

export interface LocalPubSub {
  readonly broker: Broker;
  readonly clients: readonly PubSubClient[];
  /** Closes all clients. */
  close(): Promise<void>;
}

/** Creates `count` clients that see each other as instances do. */
export function createLocalPubSub(count: number, options: LocalPubSubOptions): LocalPubSub {
  const broker = new Broker(options.broker);
  const clients = Array.from({ length: count }, (_, id) => {
    const [ours, theirs] = duplexPair();
    const onHandlerError = (error: unknown, topic: string): void => options.onHandlerError(error, topic, id);
    const uid = options.uids?.[id] ?? String(id);
    broker.connect({
      id: uid,
      slot: id,
      stream: ours,
      onBroken: (error) => onHandlerError(error, ">"),
      onOverload: () => {},
    });
    return new PubSubClient(theirs, {
      onHandlerError,
      onLeaderError: (error, leader) => (options.onLeaderError ?? options.onHandlerError)(error, leader, id),
    });
  });
  return {
    broker,
    clients,
    close: async () => {
      await Promise.all(clients.map((client) => client.close()));
      broker.close();
    },
  };
}
