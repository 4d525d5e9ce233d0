/**
 * "choir/instance": what the container holds, for code outside Fastify. Importing never throws; in the supervisor's process the
 * *use* does, and without a supervisor everything works alone (instance 0, no others).
 */
import type { Logger } from "pino";
import type { Locks } from "../messaging/locks.ts";
import type { PubSub } from "../messaging/pubsub.ts";
import type { InstanceInfo } from "../protocol.ts";
import type { OnShutdown } from "./cradle.ts";
import { exposedRegistries, type MetricsRegistry } from "./registries.ts";
import { currentRole } from "./role.ts";
import { servicesFor } from "./services.ts";
import type { CurrentRequest } from "./zone.ts";

export type * from "../messaging/locks.ts";
export type * from "../messaging/pubsub.ts";
export { RemoteError } from "../messaging/remote-error.ts";
export type * from "../messaging/requests.ts";
export type { InstanceInfo } from "../protocol.ts";
export type * from "./cradle.ts";
export type { MetricsRegistry } from "./registries.ts";
export type { CurrentRequest } from "./zone.ts";

/** Messages between the instances. */
export const pubSub: PubSub = deferred("pubSub", () => servicesFor("pubSub").pubSub);

/** Locks, leaders and what is done once, between the instances. */
export const locks: Locks = deferred("locks", () => servicesFor("locks").locks);

/** What the instance knows of itself. */
export const instance: InstanceInfo = deferred("instance", () => servicesFor("instance").instance);

/** The app's pino logger. */
export const logger: Logger = deferred("logger", () => servicesFor("logger").logger);

/** Registers a function that runs when the instance has drained, last registered first. */
export const onShutdown: OnShutdown = (hook) => servicesFor("onShutdown").onShutdown(hook);

/** With `ready: "manual"`: says that the instance may take traffic. */
export function ready(): void {
  servicesFor("ready").ready();
}

/**
 * Has a prom-client registry of the app's own merged into Choir's metrics. The default one (`register`) is found without it, unless the
 * app is bundled.
 */
export function exposeMetrics(registry: MetricsRegistry): void {
  servicesFor("exposeMetrics");
  exposedRegistries().add(registry);
}

/**
 * The request in whose context the code runs, with --use-zone; undefined outside of requests, without that option, and in the
 * supervisor: unlike the others it never throws, since logging code asks anywhere.
 */
export function currentRequest(): CurrentRequest | undefined {
  const role = currentRole();
  return role?.kind === "instance" ? role.zones?.current() : undefined;
}

/** Stands for an object that is looked up when it is used, since which one it is depends on the process. */
function deferred<T extends object>(name: string, find: () => T): T {
  return new Proxy({} as T, {
    get(_, key) {
      const target = find();
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
    set: (_, key, value) => Reflect.set(find(), key, value),
    has: (_, key) => Reflect.has(find(), key),
    ownKeys: () => Reflect.ownKeys(find()),
    getOwnPropertyDescriptor(_, key) {
      const found = Reflect.getOwnPropertyDescriptor(find(), key);
      // A proxy may only report what its own target has as non-configurable.
      return found === undefined ? undefined : { ...found, configurable: true };
    },
    getPrototypeOf: () => Reflect.getPrototypeOf(find()),
    defineProperty: () => {
      throw new TypeError(`${name} of "choir/instance" cannot be redefined`);
    },
  });
}
