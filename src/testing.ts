/** "choir/testing": instances without processes, for tests of users' apps. Runs in the test's process. */
import { randomUUID } from "node:crypto";
import { createCollectingLogger, type LogLine } from "./instance/collecting-logger.ts";
import type { Services } from "./instance/cradle.ts";
import { type App, createDefaultApp } from "./instance/fastify-app.ts";
import { prepareApp } from "./instance/prepare.ts";
import { lendRole } from "./instance/role.ts";
import type { OwnServices } from "./instance/services.ts";
import { ShutdownHooks } from "./instance/shutdown-hooks.ts";
import type { ConfigureServer } from "./instance/app.ts";
import { ChoirError } from "./errors.ts";
import { trackConnections } from "./http/connections.ts";
import { compileHeaderPolicy, DEFAULT_APP_HEADERS } from "./http/headers.ts";
import { PLAIN_SETTINGS } from "./http/server.ts";
import type { PubSubClient } from "./messaging/client.ts";
import { createLocalPubSub } from "./messaging/local.ts";
import type { InstanceInfo } from "./protocol.ts";
import { hookList, type RunnerExtras } from "./runner-options.ts";

export type { LogLine } from "./instance/collecting-logger.ts";
export type { Services } from "./instance/cradle.ts";

/** The Runner's options that say something about the app; the others need processes. */
export type TestAppOptions = RunnerExtras;

/** One instance that is no process: what the container of a real one holds, and its end. */
export interface TestInstance extends Services {
  /** What was written to `logger`, parsed, oldest first. */
  readonly logs: readonly LogLine[];
  /** Runs configureServer on a default app with this instance's container, and boots it: `app.inject(…)` answers. */
  app(configureServer: (app: App) => unknown, options?: TestAppOptions): Promise<App>;
  /** Serves what configureServer sets up or returns, whatever its framework, on a free port of 127.0.0.1; resolves to its URL. */
  serve(configureServer: ConfigureServer, options?: TestAppOptions): Promise<string>;
  /**
   * Ends its servers and apps, runs its shutdown hooks and leaves the broker. Rejects with what hooks threw, after all of that.
   * A second call waits for the first.
   */
  close(): Promise<void>;
}

/** What a handler of a subscription threw, and where. */
export interface HandlerError {
  readonly error: unknown;
  readonly topic: string;
  /** The instance's id. */
  readonly instance: number;
}

export interface TestInstances extends AsyncDisposable {
  readonly instances: readonly TestInstance[];
  /** Resolves when all that was published so far has been given to its subscribers' handlers. */
  delivered(): Promise<void>;
  /** Gives what handlers of subscriptions threw since the last call, and forgets it: what is left makes `close()` reject. */
  takeHandlerErrors(): HandlerError[];
  /** Closes all of them. Rejects with what shutdown hooks threw and with handlers' errors that nobody took. */
  close(): Promise<void>;
}

export interface TestInstancesOptions {
  /** The Runner's name in InstanceInfo and in log lines. Default "test". */
  readonly name?: string;
  /** Where log lines go besides `logs`, as `process.stdout`. Default nowhere. */
  readonly logTo?: { write(line: string): unknown };
}

/**
 * Makes `count` instances (default 1) that reach each other by pub/sub as real ones do. Until they are closed, the first of them
 * is what "choir/instance" stands for in this process, unless more have been made since.
 */
export function createTestInstances(count = 1, options: TestInstancesOptions = {}): TestInstances {
  if (!Number.isInteger(count) || count < 1) {
    throw new RangeError(`createTestInstances takes how many instances to make, at least 1, got ${String(count)}`);
  }
  let handlerErrors: HandlerError[] = [];
  const { name = "test", logTo } = options;
  const infos = Array.from({ length: count }, (_, id) => createInfo({ id, concurrency: count, name }));
  const local = createLocalPubSub(count, {
    uids: infos.map(({ uid }) => uid),
    onHandlerError(error, topic, id) {
      handlerErrors.push({ error, topic, instance: id });
      instances[id]?.logger.error({ err: error, topic }, "A pub/sub handler failed");
    },
    onLeaderError(error, leader, id) {
      handlerErrors.push({ error, topic: `-leader:${leader}`, instance: id });
      instances[id]?.logger.error({ err: error, leader }, "A leader's callback failed");
    },
  });
  const instances = infos.map((info, id) => new InProcessInstance(info, { client: local.clients[id], logTo }));
  const returnRole = lendRole(instances[0]?.services);
  const takeHandlerErrors = (): HandlerError[] => {
    const taken = handlerErrors;
    handlerErrors = [];
    return taken;
  };
  const flushAll = () => Promise.allSettled(local.clients.map((client) => client.flush()));
  const delivered = async (): Promise<void> => {
    // First the broker has every message; then what it answers to a subscriber comes behind the messages.
    await flushAll();
    await flushAll();
  };
  const close = once(async () => {
    const ends = await Promise.allSettled(instances.map((instance) => instance.close()));
    returnRole();
    await local.close();
    throwAll([...ends.flatMap(reasonOf), ...takeHandlerErrors().map(describeHandlerError)]);
  });
  return { instances, delivered, takeHandlerErrors, close, [Symbol.asyncDispose]: close };
}

function createInfo(known: Pick<InstanceInfo, "id" | "concurrency" | "name">): InstanceInfo {
  const startedAt = new Date().toISOString();
  return Object.freeze({ ...known, uid: randomUUID(), generation: 0, pid: process.pid, startedAt, restarts: 0 });
}

class InProcessInstance implements TestInstance {
  readonly services: OwnServices;
  readonly logs: readonly LogLine[];
  readonly #client: PubSubClient;
  readonly #hookErrors: unknown[] = [];
  readonly #hooks = new ShutdownHooks((error) => this.#hookErrors.push(error));
  /** The ends of its servers and apps. */
  readonly #ends: (() => Promise<unknown>)[] = [];

  constructor(
    instance: InstanceInfo,
    { client, logTo }: { client: PubSubClient | undefined; logTo: TestInstancesOptions["logTo"] },
  ) {
    if (client === undefined) throw new Error("An instance without a client. This is a bug in Choir");
    const { logger, lines } = createCollectingLogger(instance, logTo);
    this.logs = lines;
    this.#client = client;
    const onShutdown: Services["onShutdown"] = (hook) => this.#hooks.add(hook);
    this.services = { pubSub: client, locks: client.locks, instance, logger, onShutdown, ready: () => {} };
  }

  get pubSub(): Services["pubSub"] {
    return this.services.pubSub;
  }
  get locks(): Services["locks"] {
    return this.services.locks;
  }
  get instance(): Services["instance"] {
    return this.services.instance;
  }
  get logger(): Services["logger"] {
    return this.services.logger;
  }
  get onShutdown(): Services["onShutdown"] {
    return this.services.onShutdown;
  }

  async app(configureServer: (app: App) => unknown, options: TestAppOptions = {}): Promise<App> {
    if (configureServer.length === 0) throw noInject();
    this.#addShutdownHooks(options);
    const { app } = await createDefaultApp({
      services: this.services,
      headers: compileHeaderPolicy({ ...options, defaults: DEFAULT_APP_HEADERS }),
      fastify: options.fastify,
    });
    // Registered first: what a configureServer that throws has opened is closed too.
    this.#ends.push(() => app.close());
    const returned = await configureServer(app);
    if (returned !== undefined && returned !== app) throw noInject();
    for (const hook of hookList(options.hooks?.startup)) await hook();
    await app.ready();
    return app;
  }

  async serve(configureServer: ConfigureServer, options: TestAppOptions = {}): Promise<string> {
    this.#addShutdownHooks(options);
    const prepared = await prepareApp(this.services, {
      configureServer,
      extras: options,
      settings: PLAIN_SETTINGS,
    });
    const { server } = prepared;
    const connections = trackConnections(server);
    this.#ends.push(async () => {
      server.close();
      // A client's keep-alive connection would hold the test until its timeout.
      connections.destroyAll();
      await prepared.close();
    });
    for (const hook of hookList(options.hooks?.startup)) await hook();
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", () => resolve());
    });
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("No port. This is a bug in Choir");
    return `http://127.0.0.1:${address.port}`;
  }

  readonly close = once(async () => {
    await this.#client.retire();
    const ends = await Promise.allSettled(this.#ends.splice(0).map((end) => end()));
    this.#client.abandonLocks();
    await this.#hooks.run();
    await this.#client.close();
    throwAll([...ends.flatMap(reasonOf), ...this.#hookErrors]);
  });

  /** Before those that configureServer registers, so that they run last, as in a real instance. */
  #addShutdownHooks({ hooks }: TestAppOptions): void {
    for (const hook of hookList(hooks?.shutdown)) this.#hooks.add(hook);
  }
}

function noInject(): ChoirError {
  return new ChoirError("ERR_CHOIR_NO_APP", "This configureServer makes an app of its own, which has no inject()", {
    hint: "Use serve(configureServer), which resolves to a URL",
  });
}

function once(action: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= action());
}

function reasonOf(result: PromiseSettledResult<unknown>): unknown[] {
  return result.status === "rejected" ? [result.reason] : [];
}

function describeHandlerError({ error, topic, instance }: HandlerError): Error {
  return new Error(`A handler of topic "${topic}" in instance ${instance} failed`, { cause: error });
}

function throwAll(errors: readonly unknown[]): void {
  if (errors.length === 0) return;
  if (errors.length === 1) throw errors[0];
  throw new AggregateError(errors, `${errors.length} errors while the test's instances ran or closed`);
}
