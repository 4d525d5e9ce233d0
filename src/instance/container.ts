/** Makes the container that an app gets its services from, and registers its own in. Runs in the instance. */
import { asValue, createContainer, InjectionMode } from "awilix";
import type { AppContainer, Cradle, Services } from "./cradle.ts";

/** Makes a container that holds Choir's services. */
export function createAppContainer(services: Services): AppContainer {
  // Strict: a singleton of the app's that depends on a request's value is a leak from one user to another, and says so.
  const container = createContainer<Cradle>({ injectionMode: InjectionMode.PROXY, strict: true });
  container.register({
    pubSub: asValue(services.pubSub),
    locks: asValue(services.locks),
    instance: asValue(services.instance),
    logger: asValue(services.logger),
    onShutdown: asValue(services.onShutdown),
  });
  return container;
}
