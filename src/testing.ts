/** "choir/testing": instances without processes, for tests of users' apps. Runs in the test's process. */
import { randomUUID } from "node:crypto";
import { createLogger } from "./instance/logger.ts";
import { ShutdownHooks } from "./instance/shutdown-hooks.ts";
import type { Services } from "./instance/cradle.ts";
import { createAppContainer } from "./instance/container.ts";
import { type App, createDefaultApp, type FastifyOptions } from "./instance/fastify-app.ts";
import { compileHeaderPolicy, DEFAULT_APP_HEADERS } from "./http/headers.ts";
import { createLocalPubSub } from "./messaging/local.ts";

export type { Services } from "./instance/cradle.ts";

/** One instance that is no process: what the container of a real one holds, and its end. */
export interface TestInstance extends Services {
  /** Runs configureServer on a default app with this instance's container, and boots it: `app.inject(…)` answers. */
  app(configureServer: (app: App) => unknown, fastify?: FastifyOptions): Promise<App>;
  /** Closes its apps, runs its shutdown hooks and leaves the broker. */
  close(): Promise<void>;
}

export interface TestInstances extends AsyncDisposable {
  readonly instances: readonly TestInstance[];
  /** What handlers of subscriptions threw, with the topic. */
  readonly handlerErrors: readonly { readonly error: unknown; readonly topic: string }[];
  /** Closes all of them. */
  close(): Promise<void>;
}

/** Makes `count` instances (default 1) that reach each other by pub/sub as real ones do. */
export function createTestInstances(count = 1, { name = "test" }: { name?: string } = {}): TestInstances {
  const handlerErrors: { error: unknown; topic: string }[] = [];
  const local = createLocalPubSub(count, { onHandlerError: (error, topic) => handlerErrors.push({ error, topic }) });
  const instances = local.clients.map((pubSub, id) => {
    const startedAt = new Date().toISOString();
    const instance = {
      id,
      uid: randomUUID(),
      generation: 0,
      pid: process.pid,
      name,
      concurrency: count,
      startedAt,
      restarts: 0,
    };
    const hooks = new ShutdownHooks((error) => {
      throw error;
    });
    return createTestInstance(
      { pubSub, instance, logger: createLogger(), onShutdown: (hook) => hooks.add(hook) },
      async () => {
        await hooks.run();
        await pubSub.close();
      },
    );
  });
  const close = async (): Promise<void> => {
    for (const instance of instances) await instance.close();
    await local.close();
  };
  return { instances, handlerErrors, close, [Symbol.asyncDispose]: close };
}

function createTestInstance(services: Services, end: () => Promise<void>): TestInstance {
  const apps: App[] = [];
  return {
    ...services,
    async app(configureServer, fastify) {
      const { app } = await createDefaultApp({
        container: createAppContainer(services),
        headers: compileHeaderPolicy({ defaults: DEFAULT_APP_HEADERS }),
        fastify,
      });
      await configureServer(app);
      await app.ready();
      apps.push(app);
      return app;
    },
    async close() {
      for (const app of apps) await app.close();
      await end();
    },
  };
}
