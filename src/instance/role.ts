/**
 * What this process is to Choir, found through a global symbol, since the preload, the Runner and "choir/instance" may be loaded from
 * different copies of the package. Used in both processes.
 */
import type { PubSubClient } from "../messaging/client.ts";
import type { InstanceBirth } from "../protocol.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { OwnServers } from "./own-servers.ts";
import type { OwnServices } from "./services.ts";
import type { ShutdownHooks } from "./shutdown-hooks.ts";
import type { TlsInbox } from "./tls-inbox.ts";
import type { UncaughtErrors } from "./uncaught.ts";
import type { Zones } from "./zone.ts";

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
  readonly uncaught: UncaughtErrors;
  /** Only with --use-zone. */
  readonly zones: Zones | undefined;
  readonly tls: TlsInbox;
  /** The connection to the broker, when the app has used it. */
  readonly messages: () => PubSubClient | undefined;
  /** To be called when the start is over, right before the instance takes traffic. */
  readonly letYoungGenerationGrow: () => void;
  /** Only where `choir start` runs a file: it has the sockets. */
  readonly ownServers?: OwnServers | undefined;
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

/**
 * In a test: lets "choir/instance" stand for these services until the result is called. A real instance or supervisor stays what
 * it is.
 */
export function lendRole(services: OwnServices | undefined): () => void {
  const kind = currentRole()?.kind;
  if (services === undefined || kind === "instance" || kind === "supervisor") return () => {};
  const lent = assumeRole({ kind: "alone", services });
  return () => {
    // Somebody may have taken it since; then it is theirs to give back.
    if (currentRole() === lent) delete (globalThis as { [ROLE]?: Role })[ROLE];
  };
}

const RAN = Symbol.for("choir.ran");

/** Whether a Runner runs in this process. */
export function isProcessClaimed(): boolean {
  return (globalThis as { [RAN]?: true })[RAN] === true;
}

/** Says that a Runner runs in this process; whether one did before. */
export function claimProcess(): boolean {
  const all = globalThis as { [RAN]?: true };
  const ran = all[RAN] === true;
  all[RAN] = true;
  return ran;
}
