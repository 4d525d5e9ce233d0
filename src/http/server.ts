/**
 * Makes the HTTP server of an instance, and listens with it on the sockets that the supervisor has bound. Runs in the instance;
 * the supervisor's side is supervisor/sockets.ts.
 */
import type { RequestListener, Server } from "node:http";
import net from "node:net";
import type { HeaderPolicy } from "./headers.ts";
import { http } from "./node-http.ts";
import { applyHeaderPolicy } from "./write-head.ts";
import type { InheritedListener } from "../protocol.ts";

export interface HttpServerOptions {
  readonly headers: HeaderPolicy;
}

/** Makes a server for a listener, with the header policy applied; it does not listen yet. */
export function createHttpServer(listener: RequestListener, options: HttpServerOptions): Server {
  const server = http.createServer(listener);
  applyHeaderPolicy(server, options.headers);
  return server;
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
  server: Server,
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
function acceptorFor(server: Server): net.Server {
  // The options that http gives to its own net.Server.
  return net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
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
