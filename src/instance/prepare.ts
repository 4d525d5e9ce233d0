/** From the user's configureServer to a server that only has to listen. Runs in the instance, and in tests of users' apps. */
import type { Server } from "node:http";
import { compileHeaderPolicy, DEFAULT_APP_HEADERS } from "../http/headers.ts";
import type { RunnerExtras } from "../runner-options.ts";
import { checkConfigureServer } from "./app.ts";
import { configureApp } from "./configure-app.ts";
import { createAppContainer } from "./container.ts";
import { openServer } from "./open-server.ts";
import type { OwnServices } from "./services.ts";
import type { Zones } from "./zone.ts";

export interface PreparedApp {
  readonly server: Server;
  /** To be called after the last response: the app's own end, such as Fastify's onClose hooks. */
  close(): Promise<void>;
}

/** Runs configureServer and makes the server of what it sets up; its errors are passed on as they are. */
export async function prepareApp(
  services: OwnServices,
  { configureServer, extras, zones }: { configureServer: unknown; extras: RunnerExtras; zones?: Zones | undefined },
): Promise<PreparedApp> {
  const configure = checkConfigureServer(configureServer);
  // The defaults are the default app's: other frameworks get no header that they did not ask for.
  const withDefaults = compileHeaderPolicy({ ...extras, defaults: DEFAULT_APP_HEADERS });
  const { served, isDefault } = await configureApp(configure, {
    container: () => createAppContainer(services),
    headers: withDefaults,
    fastify: extras.fastify,
    zones,
  });
  const headers = isDefault ? withDefaults : compileHeaderPolicy(extras);
  // The logger is looked up when it is used: an app that never fails needs none.
  const onError = (error: unknown): void => services.logger.error({ err: error }, "The app's fetch failed");
  const server = await openServer(served, { headers, onError });
  return {
    server,
    async close() {
      if (served.kind === "server") await served.close?.();
    },
  };
}
