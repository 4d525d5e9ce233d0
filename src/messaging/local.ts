/** Pub/sub within one process, over the same broker and clients: for running without a supervisor, and for tests. */
import { duplexPair } from "node:stream";
import { Broker, type BrokerOptions } from "./broker.ts";
import { PubSubClient, type PubSubClientOptions } from "./client.ts";

export interface LocalPubSubOptions extends PubSubClientOptions {
  readonly broker?: BrokerOptions;
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
    const fail = (error: Error) => options.onHandlerError(error, ">");
    broker.connect({ id, stream: ours, onBroken: fail, onOverload: () => {} });
    return new PubSubClient(theirs, options);
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
