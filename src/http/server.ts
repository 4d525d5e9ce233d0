/**
 * Makes the HTTP server of an instance, and listens with it on the sockets that the supervisor has bound. Runs in the instance;
 * the supervisor's side is supervisor/sockets.ts.
 */
import type { RequestListener, ServerOptions } from "node:http";
import type { createSecureServer, Http2SecureServer, ServerHttp2Session } from "node:http2";
import https from "node:https";
import { createRequire } from "node:module";
import net from "node:net";
import { Server as TlsServer } from "node:tls";
import type { InheritedListener, TlsMaterial } from "../protocol.ts";
import type { HeaderPolicy } from "./headers.ts";
import { type AppServer, applyLimits, DEFAULT_LIMITS, type ServerLimits } from "./limits.ts";
import { http } from "./node-http.ts";
import { secureContextOptions } from "./tls.ts";
import { applyHeaderPolicy } from "./write-head.ts";

/** How TLS is served. */
export interface TlsSettings {
  readonly material: TlsMaterial;
  /** Whether HTTP/2 is offered besides HTTP/1.1. */
  readonly http2: boolean;
}

/** How requests are taken, whatever app answers them. */
export interface ServerSettings {
  readonly limits: ServerLimits;
  /** Undefined: no TLS. */
  readonly tls: TlsSettings | undefined;
}

/** Plain HTTP with Node's own limits: for tests of users' apps, which have no supervisor. */
export const PLAIN_SETTINGS: ServerSettings = { limits: DEFAULT_LIMITS, tls: undefined };

export interface HttpServerOptions extends ServerSettings {
  /** How long an HTTP/2 connection may idle, in milliseconds. Default: 72 s, as Fastify has it. */
  readonly http2IdleMs?: number | undefined;
  /** Node's own options of an HTTP/1 server. */
  readonly node?: ServerOptions | undefined;
}

const HTTP2_IDLE_MS = 72_000;

/** Makes a server for a listener, with the header policy and Node's limits; it does not listen yet. */
export function createHttpServer(
  listener: RequestListener,
  { headers, ...settings }: Partial<HttpServerOptions> & { readonly headers: HeaderPolicy },
): AppServer {
  const server = createServer({ ...PLAIN_SETTINGS, ...settings });
  server.on("request", listener);
  applyHeaderPolicy(server, headers);
  return server;
}

/** Makes a server that nobody listens to yet, neither on the network nor for its requests. */
export function createServer(options: HttpServerOptions): AppServer {
  const server = bareServer(options);
  applyLimits(server, options.limits);
  return server;
}

/** Serves with another certificate or other ticket keys from now on; connections that are open keep what they have. */
export function renewTls(server: AppServer, material: TlsMaterial): void {
  if (server instanceof TlsServer) server.setSecureContext(secureContextOptions(material));
}

function bareServer({ limits, tls, node = {}, http2IdleMs }: HttpServerOptions): AppServer {
  if (tls === undefined) return http.createServer(node);
  const options: https.ServerOptions = {
    ...node,
    ...secureContextOptions(tls.material),
    noDelay: true,
    // A handshake is a part of a request's headers to a client that takes its time.
    ...(limits.headersTimeout > 0 ? { handshakeTimeout: limits.headersTimeout } : {}),
  };
  return tls.http2 ? http2Server(options, http2IdleMs) : https.createServer(options);
}

function http2Server(options: https.ServerOptions, idleMs = HTTP2_IDLE_MS): AppServer {
  // Loaded only where it is served.
  const http2 = createRequire(import.meta.url)("node:http2") as { createSecureServer: typeof createSecureServer };
  const server: Http2SecureServer = http2.createSecureServer({ ...options, allowHTTP1: true });
  server.on("session", (session: ServerHttp2Session) => {
    // Only what idles ends: open streams finish.
    session.setTimeout(idleMs, () => session.close());
  });
  // It has the fields of http's servers for its HTTP/1 clients (applyLimits sets those that are missing), its types do not.
  return server as unknown as AppServer;
}

/** What accepts connections for one server. */
export interface Acceptors {
  /** Stops accepting; connections stay as they are, idle ones too. A second call does nothing. */
  stop(): void;
}

/**
 * Listens on every inherited socket; resolves when all do. Rejects with Node's error and stops the others when one cannot:
 * EADDRINUSE also comes from here, since two supervisors may both have bound an address before either listens.
 */
export async function listenOn(
  server: net.Server,
  listeners: readonly InheritedListener[],
  backlog: number,
): Promise<Acceptors> {
  const acceptors = listeners.map((_, index) => (index === 0 ? server : acceptorFor(server)));
  const stop = (): void => {
    for (const acceptor of acceptors) {
      // Not `server.close()`: http's own destroys idle keep-alive connections, and a request may be on its way on one.
      if (acceptor.listening) net.Server.prototype.close.call(acceptor);
    }
  };
  try {
    for (const [index, { fd }] of listeners.entries()) {
      const acceptor = acceptors[index] ?? server;
      await listen(acceptor, fd, backlog);
      // An error while accepting is the server's, as it would be on one socket.
      if (acceptor !== server) acceptor.on("error", (error) => server.emit("error", error));
    }
  } catch (error) {
    stop();
    throw error;
  }
  return { stop };
}

/** A further listener of the same server: Node's servers have one handle each. */
export function acceptorFor(server: net.Server): net.Server {
  // The options that http and https give to their own net.Server.
  return net.createServer({ allowHalfOpen: !(server instanceof TlsServer), noDelay: true }, (socket) => {
    server.emit("connection", socket);
  });
}

function listen(server: net.Server, fd: number, backlog: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error): void => {
      server.removeListener("error", settle);
      if (error === undefined) resolve();
      else reject(error);
    };
    server.prependListener("error", settle);
    // Every listen on a shared socket sets its backlog anew; in an options object Node ignores it beside `fd`.
    server.listen({ fd }, backlog, () => settle());
  });
}
