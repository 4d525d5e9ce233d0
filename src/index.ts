/** The package's public names. Importing it loads neither the supervisor nor an app: `run()` loads the side that it needs. */
export { ChoirError, type ChoirErrorOptions, EXIT, type ErrorCode, type ExitCode } from "./errors.ts";
export { type Config, defineConfig } from "./config.ts";
export { Runner } from "./runner.ts";
export type { AnyApp, ConfigureServer, Served } from "./instance/app.ts";
export type { App, FastifyOptions } from "./instance/fastify-app.ts";
// By a star, since TypeScript merges a user's `declare module "choir" { interface Cradle }` only into what comes by one.
export type * from "./instance/cradle.ts";
export type * from "./messaging/locks.ts";
export type * from "./messaging/pubsub.ts";
export type * from "./messaging/requests.ts";
export type { ChoirEvent, ExitReason } from "./events.ts";
export type { RemovedResponseHeaders, ResponseHeaders } from "./http/headers.ts";
export type { InstanceInfo } from "./protocol.ts";
export type { Hook, Hooks, RunnerExtras, RunnerOptions } from "./runner-options.ts";
export type { TableOptions } from "./options/table.ts";
