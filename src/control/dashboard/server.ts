/**
 * The dashboard's port, for --dashboard: the page's files, and the routes that it asks. Runs in the supervisor; loaded only when it is
 * wanted. Every request is judged by access.ts before anything of it is read.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Clock } from "../../clock.ts";
import { http } from "../../http/node-http.ts";
import { optionError } from "../../options/origin.ts";
import type { Controllable } from "../controllable.ts";
import type { EventFeed } from "../event-feed.ts";
import { isLoopback, listenOnPort, readEndpoint } from "../port.ts";
import { Refusal, routeOf } from "../request.ts";
import { refuse, refuseGarbage, Responder, sendJson } from "../responder.ts";
import type { Route } from "../route.ts";
import { type AccessRules, denialOf, sessionOf, type Wish } from "./access.ts";
import { type Asset, Assets } from "./assets.ts";
import { History } from "./history.ts";
import { dashboardRoutes } from "./routes.ts";
import { Token } from "./token.ts";

export interface DashboardOptions {
  /** What --dashboard-address says. */
  readonly address: string;
  /** Undefined: the page only shows. */
  readonly token: string | undefined;
  /** For how long the address may be in use, in milliseconds. */
  readonly retryMs: number;
  readonly events: Pick<EventFeed, "subscribe">;
  readonly clock: Clock;
  /** How long a client may take to send its request, in milliseconds; default 10 s. */
  readonly requestTimeout?: number;
  /** A client that neither reads nor asks is let go after so long, in milliseconds; default 60 s. */
  readonly silentTimeout?: number;
}

/** A dashboard that listens. */
export interface Dashboard {
  /** Without the token: it may be logged. */
  readonly url: string;
  /** Whether who has the token may restart and scale. */
  readonly steers: boolean;
  close(): void;
}

const MOST_CONNECTIONS = 64;
const IDLE_MS = 15_000;
/** Answers on which nothing may come for long: the lines of a quiet app, and the end of a restart. Their clients are seen to be gone by TCP. */
const PATIENT = ["/v1/logs", "/v1/restart"];
/** How long a connection is quiet before TCP asks whether its client is there, in milliseconds. */
const PROBE_MS = 30_000;

/** Nothing but the page's own files; nobody may frame it; its forms go nowhere. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

const HEADERS: Readonly<Record<string, string>> = {
  "Content-Security-Policy": POLICY,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
};

const SESSION_PATH = "/v1/session";

/** Listens. Throws ERR_CHOIR_OPTION for an address that others reach without a token, and the errors of listening. */
export async function serveDashboard(target: Controllable, options: DashboardOptions): Promise<Dashboard> {
  const { events, clock } = options;
  const history = new History(target, clock);
  const server = makeServer(options);
  try {
    const rules = rulesOf(options);
    const desk = new Desk(new Responder(responderSetup(target, { rules, events, history })), rules);
    server.on("request", (request, response) => void desk.handle(request, response));
    const origin = await listenOnPort(server, { flag: "--dashboard", ...options });
    return {
      url: `${origin}/`,
      steers: rules.token !== undefined,
      close() {
        history.stop();
        desk.endStreams();
        server.close();
        server.closeAllConnections();
      },
    };
  } catch (error) {
    history.stop();
    throw error;
  }
}

function makeServer({ requestTimeout = 10_000, silentTimeout = 60_000 }: DashboardOptions): Server {
  const server = http.createServer({
    requestTimeout,
    headersTimeout: requestTimeout,
    connectionsCheckingInterval: Math.min(1000, requestTimeout),
    keepAliveTimeout: IDLE_MS,
    keepAlive: true,
    keepAliveInitialDelay: PROBE_MS,
    maxHeaderSize: 8 * 1024,
    // The answer to a request without Host would not be JSON.
    requireHostHeader: false,
  });
  server.maxConnections = MOST_CONNECTIONS;
  server.setTimeout(silentTimeout, (socket) => socket.destroy());
  server.on("clientError", refuseGarbage);
  return server;
}

function rulesOf({ address, token }: DashboardOptions): AccessRules {
  const { host } = readEndpoint({ flag: "--dashboard", address });
  const isLocal = isLoopback(host);
  if (token === undefined && !isLocal) {
    throw optionError(
      `--dashboard-address ${address} can be reached by others and needs a token: give one with --dashboard-token-file, ` +
        "or listen on 127.0.0.1, which ssh -L makes reachable",
    );
  }
  return { host, isLoopback: isLocal, token: token === undefined ? undefined : new Token(token) };
}

interface Behind {
  readonly rules: AccessRules;
  readonly events: Pick<EventFeed, "subscribe">;
  readonly history: History;
}

function responderSetup(target: Controllable, { rules, events, history }: Behind) {
  const routes = dashboardRoutes(history);
  return {
    target,
    events,
    find(request: IncomingMessage): Route {
      admit(request, request.method === "GET" ? "view" : "change", rules);
      return routeOf(request, routes);
    },
    // Nothing that a client says gets into the log.
    callerOf: () => "the dashboard",
  };
}

/** Tells the page's files from what the routes answer. */
class Desk {
  readonly #responder: Responder;
  readonly #rules: AccessRules;
  readonly #assets = new Assets();

  constructor(responder: Responder, rules: AccessRules) {
    this.#responder = responder;
    this.#rules = rules;
  }

  /** Answers one request; never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => {});
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    try {
      const [pathname = ""] = (request.url ?? "").split("?");
      if (pathname === SESSION_PATH) this.#tellSession(request, response);
      else if (pathname.startsWith("/v1/")) {
        if (PATIENT.includes(pathname)) request.socket.setTimeout(0);
        await this.#responder.handle(request, response);
      } else await this.#sendFile(pathname, request, response);
    } catch (thrown) {
      refuse(response, thrown);
    }
  }

  endStreams(): void {
    this.#responder.endStreams();
  }

  #tellSession(request: IncomingMessage, response: ServerResponse): void {
    admit(request, "session", this.#rules);
    refuseOthers(request, ["GET"]);
    sendJson(response, 200, sessionOf(request.headers, this.#rules));
  }

  async #sendFile(pathname: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    admit(request, "page", this.#rules);
    const asset = await this.#assets.find(pathname);
    if (asset === undefined) throw new Refusal(404, "Nothing is here; the dashboard is at /");
    refuseOthers(request, ["GET", "HEAD"]);
    sendAsset(request, response, asset);
  }
}

function sendAsset({ method, headers }: IncomingMessage, response: ServerResponse, asset: Asset): void {
  const { etag, contentType, bytes } = asset;
  // A version that is installed next is seen at the next visit.
  const caching = { "Cache-Control": "no-cache", ETag: etag };
  if (headers["if-none-match"] === etag) {
    response.writeHead(304, caching).end();
    return;
  }
  response.writeHead(200, { ...caching, "Content-Type": contentType, "Content-Length": bytes.length });
  response.end(method === "HEAD" ? undefined : bytes);
}

/** Throws a Refusal for a request that may not be served; what may follow its head is not read. */
function admit({ headers }: IncomingMessage, wish: Wish, rules: AccessRules): void {
  const denial = denialOf(headers, wish, rules);
  if (denial === undefined) return;
  throw new Refusal(denial.status, denial.message, {
    Connection: "close",
    ...(denial.status === 401 && { "WWW-Authenticate": "Bearer" }),
  });
}

function refuseOthers({ method = "" }: IncomingMessage, allowed: readonly string[]): void {
  if (allowed.includes(method)) return;
  throw new Refusal(405, `This takes ${allowed.join(" and ")}, got ${method}`, {
    Allow: allowed.join(", "),
    Connection: "close",
  });
}
