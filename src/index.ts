export { ChoirError, type ErrorCode } from "./errors.ts";
export type { InstanceInfo } from "./protocol.ts";
export type * from "./events.ts";
export type { TableOptions } from "./options/table.ts";
// By star, since `declare module "choir" { interface Cradle … }` merges only with what comes so.
export type * from "./instance/cradle.ts";
export type { AnyApp, ConfigureServer, Served } from "./instance/app.ts";
export type { App, FastifyOptions } from "./instance/fastify-app.ts";
export type { RemovedResponseHeaders, ResponseHeaders } from "./http/headers.ts";
