/**
 * What makes a process an instance: loaded before the app's first line (`node --import`), since the app may spawn children, write
 * lines or throw from there on. Does nothing in a process that is no instance. The other side is src/supervisor/child.ts.
 */
import net from "node:net";
import { isMainThread } from "node:worker_threads";
import type { Logger } from "pino";
import { systemClock } from "../clock.ts";
import { PubSubClient } from "../messaging/client.ts";
import { forgetPreload, takeBirth } from "../options/environment.ts";
import type { InstanceBirth } from "../protocol.ts";
import { Lifecycle } from "./lifecycle.ts";
import { createLogger } from "./logger.ts";
import { answerQuestions, answerTo } from "./questions.ts";
import { assumeRole } from "./role.ts";
import type { OwnServices } from "./services.ts";
import { ShutdownHooks } from "./shutdown-hooks.ts";
import { TlsInbox } from "./tls-inbox.ts";
import { UncaughtErrors } from "./uncaught.ts";
import { keepYoungGenerationSmall } from "./young-generation.ts";
import { Zones } from "./zone.ts";

const birth = isMainThread ? takeBirth() : undefined;
if (birth !== undefined) await enterInstance(birth);
else if (!isMainThread) (await import("./worker-listen.ts")).warnOfListening();

async function enterInstance(birth: InstanceBirth): Promise<void> {
  // Else every process that the app forks would load this file too.
  forgetPreload(import.meta.url);
  const letYoungGenerationGrow = keepYoungGenerationSmall();
  writeBlocking(process.stdout);
  writeBlocking(process.stderr);
  const hooks = new ShutdownHooks((error) => services.logger.error({ err: error }, "A shutdown hook failed"));
  // Before anything listens to messages: they come from then on.
  const tls = new TlsInbox();
  const exit = (code: number): void => process.exit(code);
  const lifecycle = new Lifecycle({ exit });
  const zones = birth.options.useZone ? new Zones(birth.options) : undefined;
  // Made at its first use: an app that sends no messages does not pay for it.
  let client: PubSubClient | undefined;
  const connect = (): PubSubClient => (client ??= connectPubSub(birth.pubSubFd, () => services.logger));
  const services = createServices(birth, { lifecycle, hooks, zones, connect });
  const logger = (): Logger => services.logger;
  const uncaught = new UncaughtErrors({ options: birth.options, lifecycle, zones, logger, exit, clock: systemClock });
  const messages = (): PubSubClient | undefined => client;
  const role = {
    kind: "instance",
    services,
    birth,
    lifecycle,
    hooks,
    uncaught,
    zones,
    tls,
    messages,
    letYoungGenerationGrow,
  } as const;
  // Loaded for `choir start` only, and before node goes on to the file.
  const ownServers = birth.module && (await import("./own-module.ts")).enterModule(role, birth.module);
  assumeRole({ ...role, ownServers });
  // Who asks for something, or wants to lead, is better served by those that stay.
  void lifecycle.drainOrdered.then(() => client?.retire());
  answerQuestions({
    answer: answerTo,
    send: (answer) => lifecycle.answer(answer),
    listen: (listener) => process.on("message", listener),
  });
  process.on("uncaughtException", (thrown: unknown, origin) => {
    // An app with a handler of its own has decided what an uncaught error means; one with `unhandledRejection` keeps those from here.
    if (process.listenerCount("uncaughtException") === 1) uncaught.handle(thrown, origin);
  });
}

/** A piped stdout is asynchronous in Node: what is written right before an exit would be lost. Blocking, it is in the pipe. */
function writeBlocking(stream: NodeJS.WriteStream): void {
  const { _handle: handle } = stream as { _handle?: { setBlocking?(blocking: boolean): void } };
  handle?.setBlocking?.(true);
}

function createServices(birth: InstanceBirth, { lifecycle, hooks, zones, connect }: ServiceParts): OwnServices {
  // Made at its first use, as the connection is.
  let logger: Logger | undefined;
  return {
    get logger() {
      logger ??= createLogger({
        level: birth.options.logLevel,
        redact: birth.options.logRedact,
        contextFields: zones && (() => zones.logFields()),
      });
      return logger;
    },
    get pubSub() {
      return connect();
    },
    get locks() {
      return connect().locks;
    },
    instance: Object.freeze({ ...birth.info, pid: process.pid }),
    onShutdown: (hook) => hooks.add(hook),
    ready: () => lifecycle.markReady(),
  };
}

interface ServiceParts {
  readonly lifecycle: Lifecycle;
  readonly hooks: ShutdownHooks;
  readonly zones: Zones | undefined;
  readonly connect: () => PubSubClient;
}

function connectPubSub(fd: number, logger: () => Logger): PubSubClient {
  const socket = new net.Socket({ fd, readable: true, writable: true });
  socket.unref();
  return new PubSubClient(socket, {
    eager: true,
    onHandlerError: (error, topic) => logger().error({ err: error, topic }, "A pub/sub handler failed"),
    onLeaderError: (error, leader) => logger().error({ err: error, leader }, "A leader's callback failed"),
  });
}
