/** From the user's configureServer to a server that only has to listen. Runs in the instance, and in tests of users' apps. */
import { compileHeaderPolicy, DEFAULT_APP_HEADERS } from "../http/headers.ts";
import type { AppServer } from "../http/limits.ts";
import type { ServerSettings } from "../http/server.ts";
import type { RunnerExtras } from "../runner-options.ts";
import { checkConfigureServer, http1OnlyName } from "./app.ts";
import { configureApp } from "./configure-app.ts";
import { openServer } from "./open-server.ts";
import type { DefaultAppOptions } from "./fastify-app.ts";
import type { OwnServices } from "./services.ts";
import type { Zones } from "./zone.ts";

export interface PreparedApp {
  readonly server: AppServer;
  /** What the app is, when it cannot speak HTTP/2 and that is wanted. */
  readonly http1Only: string | undefined;
  /** To be called after the last response: the app's own end, such as Fastify's onClose hooks. */
  close(): Promise<void>;
}

/** What an app is made of, besides what Choir gives to it. */
export interface AppDefinition {
  readonly configureServer: unknown;
  readonly extras: RunnerExtras;
  readonly settings: ServerSettings;
  /** Only with --use-zone. */
  readonly zones?: Zones | undefined;
  /** Only with --access-log. */
  readonly accessLog?: DefaultAppOptions["accessLog"];
}

/** Runs configureServer and makes the server of what it sets up; its errors are passed on as they are. */
export async function prepareApp(
  services: OwnServices,
  { configureServer, extras, zones, settings, accessLog }: AppDefinition,
): Promise<PreparedApp> {
  const configure = checkConfigureServer(configureServer);
  // The defaults are the default app's: other frameworks get no header that they did not ask for.
  const withDefaults = compileHeaderPolicy({ ...extras, defaults: DEFAULT_APP_HEADERS });
  const { served, isDefault } = await configureApp(configure, {
    services,
    headers: withDefaults,
    fastify: extras.fastify,
    zones,
    settings,
    accessLog,
  });
  const headers = isDefault ? withDefaults : compileHeaderPolicy(extras);
  // The logger is looked up when it is used: an app that never fails needs none.
  const onError = (error: unknown): void => services.logger.error({ err: error }, "The app's fetch failed");
  const server = await openServer(served, { headers, onError, settings });
  return {
    server,
    http1Only: settings.tls?.http2 ? http1OnlyName(served) : undefined,
    async close() {
      if (served.kind === "server") await served.close?.();
    },
  };
}
