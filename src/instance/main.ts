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
import { Zones } from "./zone.ts";

const birth = isMainThread ? takeBirth() : undefined;
if (birth !== undefined) enterInstance(birth);

function enterInstance(birth: InstanceBirth): void {
  // Else every process that the app forks would load this file too.
  forgetPreload(import.meta.url);
  writeBlocking(process.stdout);
  writeBlocking(process.stderr);
  const hooks = new ShutdownHooks((error) => services.logger.error({ err: error }, "A shutdown hook failed"));
  // Before anything listens to messages: they come from then on.
  const tls = new TlsInbox();
  const exit = (code: number): void => process.exit(code);
  const lifecycle = new Lifecycle({ exit });
  const zones = birth.options.useZone ? new Zones(birth.options) : undefined;
  const services = createServices(birth, { lifecycle, hooks, zones });
  const logger = (): Logger => services.logger;
  const uncaught = new UncaughtErrors({ options: birth.options, lifecycle, zones, logger, exit, clock: systemClock });
  assumeRole({ kind: "instance", services, birth, lifecycle, hooks, uncaught, zones, tls });
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

function createServices(
  birth: InstanceBirth,
  { lifecycle, hooks, zones }: { lifecycle: Lifecycle; hooks: ShutdownHooks; zones: Zones | undefined },
): OwnServices {
  // Both are made at their first use: an app that neither logs nor publishes does not pay for them.
  let logger: Logger | undefined;
  let pubSub: PubSubClient | undefined;
  return {
    get logger() {
      logger ??= createLogger(zones && { contextFields: () => zones.logFields() });
      return logger;
    },
    get pubSub() {
      pubSub ??= connectPubSub(birth.pubSubFd, (error, topic) => {
        this.logger.error({ err: error, topic }, "A pub/sub handler failed");
      });
      return pubSub;
    },
    instance: Object.freeze({ ...birth.info, pid: process.pid }),
    onShutdown: (hook) => hooks.add(hook),
    ready: () => lifecycle.markReady(),
  };
}

function connectPubSub(fd: number, onHandlerError: (error: unknown, topic: string) => void): PubSubClient {
  const socket = new net.Socket({ fd, readable: true, writable: true });
  socket.unref();
  return new PubSubClient(socket, { onHandlerError });
}
