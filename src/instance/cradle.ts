/**
 * The types of what an app gets from Choir, and the interface that it adds its own to. Types only; the instance's.
 *
 * The package's entry re-exports `Cradle`: `declare module "choir" { interface Cradle … }` in an app merges only with what comes from
 * there (test/types/cradle.test-d.ts).
 */
import type { AwilixContainer } from "awilix";
import type { Logger } from "pino";
import type { Locks } from "../messaging/locks.ts";
import type { PubSub } from "../messaging/pubsub.ts";
import type { InstanceInfo } from "../protocol.ts";

/** Runs `hook` when the instance shuts down, after the last response. */
export type OnShutdown = (hook: () => void | Promise<void>) => void;

/** What Choir registers in the container. */
export interface Services {
  readonly pubSub: PubSub;
  readonly locks: Locks;
  readonly instance: InstanceInfo;
  readonly logger: Logger;
  readonly onShutdown: OnShutdown;
}

/** Everything the container holds. Add your own with `declare module "choir" { interface Cradle { db: Database } }`. */
export interface Cradle extends Services {}

/** The container of an app, and of a request within it. */
export type AppContainer = AwilixContainer<Cradle>;
