export { ChoirError, type ErrorCode } from "./errors.ts";
export type { InstanceInfo } from "./protocol.ts";
export type * from "./events.ts";
export type { TableOptions } from "./options/table.ts";
