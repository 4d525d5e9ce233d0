/**
 * What Choir gives to the app in an instance: messages, metadata, logger and shutdown hooks. Runs in the instance; without a
 * supervisor it makes a set that works alone.
 */
import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { ChoirError } from "../errors.ts";
import type { PubSubClient } from "../messaging/client.ts";
import { createLocalPubSub } from "../messaging/local.ts";
import type { Services } from "./cradle.ts";
import { createLogger } from "./logger.ts";
import { assumeRole, currentRole } from "./role.ts";
import { ShutdownHooks } from "./shutdown-hooks.ts";

/** The container's services, and what only "choir/instance" has. */
export interface OwnServices extends Services {
  /** Ends the wait of `ready: "manual"`. */
  readonly ready: () => void;
}

/** The services of this process; `name` is what was used, for the message in the supervisor. */
export function servicesFor(name: string): OwnServices {
  const role = currentRole() ?? assumeRole({ kind: "alone", services: createLoneServices() });
  if (role.kind === "supervisor") {
    throw new ChoirError(
      "ERR_CHOIR_NOT_IN_INSTANCE",
      `${name} of "choir/instance" was used in the supervisor, which serves no requests`,
      {
        hint: "The file's top level runs in both processes: move this into configureServer, which runs in instances only",
      },
    );
  }
  return role.services;
}

/** A set for a process without a supervisor: instance 0 of 1, with nobody else to talk to. */
function createLoneServices(): OwnServices {
  const logger = createLogger();
  const uid = randomUUID();
  const hooks = new ShutdownHooks((error) => logger.error({ err: error }, "A shutdown hook failed"));
  let client: PubSubClient | undefined;
  // Made at the first use: a process that only logs needs no broker.
  const connect = (): PubSubClient => {
    client ??= createLoneClient(uid, logger);
    return client;
  };
  return {
    get pubSub() {
      return connect();
    },
    get locks() {
      return connect().locks;
    },
    instance: Object.freeze({
      id: 0,
      uid,
      generation: 0,
      pid: process.pid,
      name: "app",
      concurrency: 1,
      startedAt: new Date().toISOString(),
      restarts: 0,
    }),
    logger,
    onShutdown(hook) {
      hooks.runAtSignal();
      hooks.add(hook);
    },
    ready: () => {},
  };
}

function createLoneClient(uid: string, logger: Logger): PubSubClient {
  const [client] = createLocalPubSub(1, {
    uids: [uid],
    onHandlerError: (error, topic) => logger.error({ err: error, topic }, "A pub/sub handler failed"),
    onLeaderError: (error, leader) => logger.error({ err: error, leader }, "A leader's callback failed"),
  }).clients;
  if (client === undefined) throw new Error("A broker of one has no client. This is a bug in Choir");
  return client;
}
