/**
 * What this process is to Choir, found through a global symbol, since the preload, the Runner and "choir/instance" may be loaded from
 * different copies of the package. Used in both processes.
 */
import type { InstanceBirth } from "../protocol.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { OwnServices } from "./services.ts";
import type { ShutdownHooks } from "./shutdown-hooks.ts";
import type { TlsInbox } from "./tls-inbox.ts";

/** What this process is to Choir. */
export type Role =
  | InstanceRole
  | { readonly kind: "alone"; readonly services: OwnServices }
  | { readonly kind: "supervisor" };

export interface InstanceRole {
  readonly kind: "instance";
  readonly services: OwnServices;
  readonly birth: InstanceBirth;
  readonly lifecycle: Lifecycle;
  readonly hooks: ShutdownHooks;
  readonly tls: TlsInbox;
}

const ROLE = Symbol.for("choir.role");

/** Says once what this process is. */
export function assumeRole<R extends Role>(role: R): R {
  (globalThis as { [ROLE]?: Role })[ROLE] = role;
  return role;
}

export function currentRole(): Role | undefined {
  return (globalThis as { [ROLE]?: Role })[ROLE];
}
