/** How long and how much a client may send, on any of Node's HTTP servers. Runs in the instance. */
import type { Server } from "node:net";

/** In milliseconds, requests and bytes; the names are Node's. */
export interface ServerLimits {
  readonly keepAliveTimeout: number;
  readonly requestTimeout: number;
  readonly headersTimeout: number;
  readonly maxRequestsPerSocket: number;
  /** Undefined: Node's own. */
  readonly maxHeaderSize: number | undefined;
}

/** A server that has limits: http's and https' say so, that of HTTP/2 has them for its HTTP/1 clients. */
export type AppServer = Server & LimitFields;

interface LimitFields {
  keepAliveTimeout: number;
  requestTimeout: number;
  headersTimeout: number;
  maxRequestsPerSocket: number | null;
}

/** What Node's servers have besides, without a public name on each of them. */
interface HiddenFields {
  keepAliveTimeoutBuffer?: number;
  connectionsCheckingInterval?: number;
  requireHostHeader?: boolean;
  maxHeaderSize?: number | undefined;
}

/** Node's defaults, made explicit. */
export const DEFAULT_LIMITS: ServerLimits = {
  keepAliveTimeout: 5000,
  requestTimeout: 300_000,
  headersTimeout: 60_000,
  maxRequestsPerSocket: 0,
  maxHeaderSize: undefined,
};

/** How often Node looks for clients that are too slow, at most and at least, in milliseconds. */
const CHECK_AT_MOST_MS = 30_000;
const CHECK_AT_LEAST_MS = 50;
/** How much longer a connection idles than its client is told, as Node has it. */
const BUFFER_MS = 1000;

/** Sets the limits of a server; to be called before it listens. */
export function applyLimits(server: AppServer, limits: ServerLimits): void {
  const { keepAliveTimeout, requestTimeout, maxRequestsPerSocket, maxHeaderSize } = limits;
  const headersTimeout =
    requestTimeout > 0 && limits.headersTimeout > requestTimeout ? requestTimeout : limits.headersTimeout;
  Object.assign(server, { keepAliveTimeout, requestTimeout, headersTimeout, maxRequestsPerSocket });
  const hidden: HiddenFields = server as HiddenFields;
  if (maxHeaderSize !== undefined) hidden.maxHeaderSize = maxHeaderSize;
  // Node 20 and 22 leave these out on their server for HTTP/2, which would then take HTTP/1 requests without a Host.
  hidden.requireHostHeader ??= true;
  hidden.keepAliveTimeoutBuffer ??= BUFFER_MS;
  const shortest = Math.min(...[requestTimeout, headersTimeout].filter((ms) => ms > 0));
  const interval = Math.max(CHECK_AT_LEAST_MS, Math.min(CHECK_AT_MOST_MS, shortest / 2));
  hidden.connectionsCheckingInterval = Math.min(hidden.connectionsCheckingInterval ?? interval, interval);
}

/** The limits for a server of the app's own: what the app has set stays, what is still Node's default is ours. */
export function limitsBeside(server: LimitFields & HiddenFields, limits: ServerLimits): ServerLimits {
  const choose = (own: number | null | undefined, name: Exclude<keyof ServerLimits, "maxHeaderSize">): number =>
    typeof own === "number" && own !== DEFAULT_LIMITS[name] ? own : limits[name];
  return {
    keepAliveTimeout: choose(server.keepAliveTimeout, "keepAliveTimeout"),
    requestTimeout: choose(server.requestTimeout, "requestTimeout"),
    headersTimeout: choose(server.headersTimeout, "headersTimeout"),
    maxRequestsPerSocket: choose(server.maxRequestsPerSocket, "maxRequestsPerSocket"),
    maxHeaderSize: server.maxHeaderSize ?? limits.maxHeaderSize,
  };
}
