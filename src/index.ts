export { ChoirError, type ErrorCode } from "./errors.ts";
export type { InstanceInfo } from "./protocol.ts";
export type * from "./events.ts";
export type { TableOptions } from "./options/table.ts";
// `declare module "choir" { interface Cradle … }` in an app merges with this one, since it comes from the entry.
export type * from "./instance/cradle.ts";
export type { AnyApp, ConfigureServer, Served } from "./instance/app.ts";
export type { App, FastifyOptions } from "./instance/fastify-app.ts";
export type { RemovedResponseHeaders, ResponseHeaders } from "./http/headers.ts";
