/**
 * The control socket's HTTP server. Runs in the supervisor, for its owner only: the socket is 0600. Nothing that a client sends
 * ends more than its own connection; src/control/client.ts is the other side.
 */
import type { IncomingMessage, Server } from "node:http";
import { http } from "../http/node-http.ts";
import type { Controllable } from "./controllable.ts";
import type { EventFeed } from "./event-feed.ts";
import { foreignRequest } from "./guard.ts";
import { callerOf, Refusal, routeOf } from "./request.ts";
import { refuseGarbage, Responder } from "./responder.ts";
import type { Route } from "./route.ts";
import { ROUTES } from "./routes.ts";
import { bindControlSocket, type ControlSocket } from "./socket.ts";

export interface ControlServerOptions {
  /** What happens, for those who watch. */
  readonly events: EventFeed;
  /** How long a client may take to send its request, in milliseconds; default 10 s. */
  readonly requestTimeout?: number;
  /** How long answers that are being written may take when the server closes, in milliseconds; default 1 s. */
  readonly closeTimeout?: number;
}

/** Most clients at one time. */
const MOST_CONNECTIONS = 256;

export class ControlServer {
  readonly #http: Server;
  readonly #responder: Responder;
  readonly #closeTimeout: number;
  #socket: ControlSocket | undefined;

  constructor(target: Controllable, { events, requestTimeout = 10_000, closeTimeout = 1000 }: ControlServerOptions) {
    this.#closeTimeout = closeTimeout;
    this.#responder = new Responder({ target, events, find: findRoute, callerOf });
    this.#http = http.createServer({
      requestTimeout,
      keepAliveTimeout: 5000,
      connectionsCheckingInterval: Math.min(1000, requestTimeout),
      maxHeaderSize: 8 * 1024,
      // The answer to a request without Host would not be JSON.
      requireHostHeader: false,
    });
    this.#http.maxConnections = MOST_CONNECTIONS;
    this.#http.on("request", (request, response) => void this.#responder.handle(request, response));
    this.#http.on("clientError", refuseGarbage);
  }

  /** Listens at `file`; throws ERR_CHOIR_NAME_IN_USE while an app answers there, and ERR_CHOIR_CONTROL when it cannot be had. */
  async listen(file: string): Promise<void> {
    this.#socket = await bindControlSocket(this.#http, file);
    // The supervisor's life is the instances': a client that stays must not prolong it.
    this.#http.unref();
  }

  /** Ends what is still being answered, and removes the socket's file. */
  async close(): Promise<void> {
    if (this.#socket === undefined) return;
    this.#responder.endStreams();
    const closed = this.#socket.close();
    this.#http.closeIdleConnections();
    const late = setTimeout(() => this.#http.closeAllConnections(), this.#closeTimeout);
    await closed;
    clearTimeout(late);
  }
}

function findRoute(request: IncomingMessage): Route {
  // Nobody but a browser says where it comes from, and none can have been sent here but through somebody's proxy.
  const foreign = foreignRequest(request.headers, false);
  if (foreign !== undefined) throw new Refusal(403, foreign);
  return routeOf(request, ROUTES);
}
