/** Where an engine is and how to be let in, with the passwords: never logged or shown as a whole. Types only; used in the supervisor. */

export interface EngineAccess {
  readonly kind: "nats" | "redis";
  /** The URL without user and password, for messages. */
  readonly shown: string;
  /** `host:port`, at least one; the port may be left away. */
  readonly servers: readonly string[];
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** Set when the connection is encrypted; empty means by the system's certificates. */
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } | undefined;
  /** The content of a NATS credentials file. */
  readonly credentials: Buffer | undefined;
}
