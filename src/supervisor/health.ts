/**
 * Answers /livez and /readyz for those who decide whether this service is sent requests (--health-address): an orchestrator, a load
 * balancer. Runs in the supervisor, on a socket of its own, and says nothing else; loaded only where it is asked for.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { systemClock } from "../clock.ts";
import { ChoirError, quote } from "../errors.ts";
import type { ChoirEvent } from "../events.ts";
import { http } from "../http/node-http.ts";
import { type BoundSocket, bindSockets, type SocketOptions } from "./sockets.ts";
import type { Snapshot } from "./snapshot.ts";

export interface HealthSetup {
  /** What --health-address says. */
  readonly address: string;
  readonly options: SocketOptions;
  readonly emit: (event: ChoirEvent) => void;
}

/** The part of a snapshot that decides. */
export type HealthSnapshot = Pick<Snapshot, "state" | "ready" | "instances">;

export interface HealthAnswer {
  readonly status: 200 | 404 | 405 | 503;
  readonly body: Readonly<Record<string, string | number>>;
}

export interface Health {
  /** Until it is called nothing is ready. */
  watch(supervisor: { snapshot(): HealthSnapshot }): void;
  close(): void;
}

/** Who asks is one machine or a few. */
const MOST_CONNECTIONS = 128;
const REQUEST_TIMEOUT_MS = 5000;

/** Binds and answers at once; throws the errors of binding, as ChoirError. */
export async function openHealth({ address, options, emit }: HealthSetup): Promise<Health> {
  const { host, port } = healthEndpoint(address);
  const sockets = await bindSockets({ ...options, address: [host], port }, systemClock).catch((error: unknown) => {
    if (!(error instanceof ChoirError)) throw error;
    throw new ChoirError(error.code, `--health-address: ${error.message}`, {
      cause: error,
      hint: "Choose another one",
    });
  });
  let supervisor: { snapshot(): HealthSnapshot } | undefined;
  const respond = (request: IncomingMessage, response: ServerResponse): void =>
    answer(request, response, supervisor?.snapshot());
  // A host name may stand for several addresses, and a server listens on one.
  const servers = await Promise.all(sockets.map((socket) => listen(socket, respond)));
  const [first = ""] = sockets.map((socket) => socket.address);
  emit({ event: "health-listening", url: first.startsWith("unix:") ? first : `http://${first}` });
  return {
    watch: (target) => {
      supervisor = target;
    },
    close() {
      for (const server of servers) {
        server.close();
        server.closeAllConnections();
      }
      for (const socket of sockets) socket.close();
    },
  };
}

/** Decides what is answered. A snapshot that is not there yet is one of a service that starts. */
export function healthAnswer(method: string, path: string, snapshot: HealthSnapshot | undefined): HealthAnswer {
  if (path !== "/livez" && path !== "/readyz") return { status: 404, body: { error: "There are /livez and /readyz" } };
  if (method !== "GET" && method !== "HEAD") return { status: 405, body: { error: "Ask with GET or HEAD" } };
  if (path === "/livez") return { status: 200, body: { status: "alive" } };
  const { state, ready, instances } = snapshot ?? { state: "starting", ready: 0, instances: 0 };
  if (state === "stopping") return { status: 503, body: { status: "stopping", ready, instances } };
  const status = ready > 0 ? "ready" : "not-ready";
  return { status: ready > 0 ? 200 : 503, body: { status, ready, instances } };
}

/** Reads `9000`, `127.0.0.1:9000`, `[::1]:9000`, `example:9000` or `unix:/path`. */
export function healthEndpoint(address: string): { host: string; port: number } {
  if (address.startsWith("unix:")) return { host: address, port: 0 };
  const [, host = "127.0.0.1", digits] = /^(?:(.+):)?(\d{1,5})$/.exec(address) ?? [];
  const isBare = host.includes(":") && !/^\[.*\]$/.test(host);
  if (digits !== undefined && Number(digits) <= 65_535 && !isBare) return { host, port: Number(digits) };
  throw new ChoirError(
    "ERR_CHOIR_ADDRESS",
    `--health-address must be a port, an address with a port or unix:/path, got ${quote(address)}`,
    { hint: "For example 9000, 0.0.0.0:9000, [::]:9000 or unix:/run/shop/health" },
  );
}

function answer(request: IncomingMessage, response: ServerResponse, snapshot: HealthSnapshot | undefined): void {
  const [path = ""] = (request.url ?? "").split("?");
  const { status, body } = healthAnswer(request.method ?? "", path, snapshot);
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(text),
    "Cache-Control": "no-store",
    // The next question may come when there is nobody left to answer it.
    Connection: "close",
    ...(status === 405 && { Allow: "GET, HEAD" }),
  });
  response.end(request.method === "HEAD" ? undefined : text);
}

function listen(
  socket: BoundSocket,
  respond: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Server> {
  const server = http.createServer({
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: 1000,
    maxHeaderSize: 8 * 1024,
  });
  server.maxConnections = MOST_CONNECTIONS;
  server.on("request", respond);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ fd: socket.fd }, () => {
      // The supervisor's life is the instances': a client that stays must not prolong it.
      server.unref();
      resolve(server);
    });
  });
}
