/** What an app's author writes to have their own services typed: compiled by `tsc -p test`, never run. */
import type { App, Cradle, InstanceInfo } from "choir";

interface Database {
  query(text: string): Promise<string[]>;
}

declare module "choir" {
  interface Cradle {
    readonly database: Database;
  }
}

export async function configureServer(app: App): Promise<void> {
  const { database, instance, pubSub, logger, onShutdown } = app.container.cradle;
  const rows: string[] = await database.query("select 1");
  const info: InstanceInfo = instance;
  await pubSub.publish("rows", rows, { retain: true });
  await pubSub.subscribe<string>("rows", (value, { topic }) => logger.info({ topic }, value.toUpperCase()));
  onShutdown(() => pubSub.flush());
  app.get("/", (request) => request.container.cradle.database.query(info.name));
  await app.register(async (inner) => {
    inner.get("/inner", () => inner.container.cradle.instance.id);
  });
  // @ts-expect-error nobody registered it
  logger.info(app.container.cradle.nothing);
}

export const keys: readonly (keyof Cradle)[] = ["database", "pubSub", "instance", "logger", "onShutdown"];
