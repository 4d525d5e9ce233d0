/** Runs the user's configureServer and tells what it set up. Runs in the instance. */
import { recogniseApp, type ConfigureServer, type ServedApp } from "./app.ts";
import { createDefaultApp, type DefaultAppOptions } from "./fastify-app.ts";

/** Runs configureServer, giving it the default app when it takes a parameter; its errors are passed on as they are. */
export async function configureApp(configure: ConfigureServer, options: DefaultAppOptions): Promise<ServedApp> {
  // Without a parameter Fastify is not even loaded.
  if (configure.length === 0) return recogniseApp(await (configure as () => unknown)());
  const { app } = await createDefaultApp(options);
  const served = await configure(app);
  return recogniseApp(served === undefined ? app : served);
}
