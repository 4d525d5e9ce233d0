/** Runs the user's configureServer and tells what it set up. Runs in the instance. */
import { recogniseApp, type ConfigureServer, type ServedApp } from "./app.ts";
import { type App, createDefaultApp, type DefaultAppOptions } from "./fastify-app.ts";

export interface ConfiguredApp {
  readonly served: ServedApp;
  /** Whether it is the default app, and not one that configureServer returned in its place. */
  readonly isDefault: boolean;
}

/** Runs configureServer, giving it the default app when it takes a parameter; its errors are passed on as they are. */
export async function configureApp(configure: ConfigureServer, options: DefaultAppOptions): Promise<ConfiguredApp> {
  if (configure.length === 0) {
    // Without a parameter Fastify is not even loaded.
    return { served: recogniseApp(await (configure as () => unknown)()), isDefault: false };
  }
  const { app } = await createDefaultApp(options);
  const returned = await configure(app);
  const isDefault = returned === undefined || returned === app;
  return { served: isDefault ? defaultApp(app) : recogniseApp(returned), isDefault };
}

function defaultApp(app: App): ServedApp {
  return {
    kind: "server",
    name: "fastify",
    ours: true,
    server: app.server,
    prepare: () => app.ready(),
    close: () => app.close(),
  };
}
