/** Makes the container that an app gets its services from, and registers its own in. Runs in the instance. */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type * as awilix from "awilix";
import type { AppContainer, Cradle, Services } from "./cradle.ts";

/** Makes a container that holds Choir's services; each is looked up when it is asked for. Loads awilix, which costs 5 MB. */
export function createAppContainer(services: Services): AppContainer {
  const { createContainer, InjectionMode } = loadAwilix();
  // Strict: a singleton of the app's that depends on a request's value is a leak from one user to another, and says so.
  const container = createContainer<Cradle>({ injectionMode: InjectionMode.PROXY, strict: true });
  container.register({
    pubSub: lazyValue(() => services.pubSub),
    locks: lazyValue(() => services.locks),
    instance: lazyValue(() => services.instance),
    logger: lazyValue(() => services.logger),
    onShutdown: lazyValue(() => services.onShutdown),
  });
  return container;
}

type Awilix = typeof awilix;

/** By require, since an app asks for its container in the middle of its own code; the copy that its own imports get, for its classes. */
function loadAwilix(): Awilix {
  return createRequire(import.meta.url)(fileURLToPath(import.meta.resolve("awilix"))) as Awilix;
}

/** As awilix's asValue, but asks for the value each time: services are made at their first use. */
function lazyValue<T>(get: () => T): awilix.Resolver<T> {
  return { resolve: get, isLeakSafe: true };
}
