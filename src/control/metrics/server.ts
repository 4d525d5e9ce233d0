/**
 * Serves metrics on a port of their own, for --metrics: one path, to read only. Runs in the supervisor; the same text is on the control
 * socket. Loaded only when it is wanted.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { isIP } from "node:net";
import { ChoirError, describeThrown, quote } from "../../errors.ts";
import { http } from "../../http/node-http.ts";
import { optionError } from "../../options/origin.ts";
import { foreignRequest } from "../guard.ts";
import type { MetricsText } from "./collector.ts";

/** Makes the document, in the form that an Accept header asks for. */
export type MetricsSource = (accept: string | undefined) => Promise<MetricsText>;

/** A server that listens. */
export interface MetricsServer {
  /** Where: `http://127.0.0.1:9464/metrics`. */
  readonly url: string;
  close(): void;
}

const PATH = "/metrics";
const MOST_CONNECTIONS = 64;
/** A client that neither reads nor asks is let go after so long, in milliseconds. */
const IDLE_MS = 15_000;

/** Listens at `address`, which is what --metrics-address says; waits for it until `retryMs` have passed while it is in use. */
export async function serveMetrics(
  source: MetricsSource,
  { address, retryMs }: { address: string; retryMs: number },
): Promise<MetricsServer> {
  const { host, port } = readAddress(address);
  const server = http.createServer({
    requestTimeout: 10_000,
    connectionsCheckingInterval: 1000,
    keepAliveTimeout: IDLE_MS,
    maxHeaderSize: 8 * 1024,
  });
  server.maxConnections = MOST_CONNECTIONS;
  server.setTimeout(IDLE_MS, (socket) => socket.destroy());
  const isLoopback = host === "localhost" || host === "::1" || host.startsWith("127.");
  server.on("request", (request, response) => void answer(request, response, { source, isLoopback }));
  await listen(server, { host, port, retryMs, address });
  server.unref();
  const bound = server.address();
  const at = typeof bound === "object" && bound !== null ? bound.port : port;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${at}${PATH}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Reads `host:port`; an IPv6 address has brackets. */
function readAddress(address: string): { host: string; port: number } {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:\s/[\]]+)):(\d{1,5})$/.exec(address) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host !== undefined && port <= 65_535 && (bracketed === undefined || isIP(bracketed) === 6)) return { host, port };
  throw optionError(
    `--metrics-address must be an address and a port, for example 127.0.0.1:9464 or [::1]:9464, got ${quote(address)}`,
  );
}

interface Listen {
  readonly host: string;
  readonly port: number;
  readonly retryMs: number;
  readonly address: string;
}

const RETRY_EVERY_MS = 100;

async function listen(server: Server, { host, port, retryMs, address }: Listen): Promise<void> {
  const deadline = performance.now() + retryMs;
  for (;;) {
    const error = await listenOnce(server, host, port);
    if (error === undefined) return;
    const inUse = error.code === "EADDRINUSE";
    if (!inUse || performance.now() >= deadline) throw addressError(address, error);
    await new Promise<void>((resolve) => {
      setTimeout(resolve, RETRY_EVERY_MS);
    });
  }
}

function listenOnce(server: Server, host: string, port: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    server.once("error", resolve);
    server.listen({ host, port }, () => {
      server.off("error", resolve);
      resolve(undefined);
    });
  });
}

function addressError(address: string, error: NodeJS.ErrnoException): ChoirError {
  const inUse = error.code === "EADDRINUSE";
  const what = inUse ? "is already in use by another process" : `cannot be listened on: ${describeThrown(error)}`;
  return new ChoirError(
    inUse ? "ERR_CHOIR_ADDRESS_IN_USE" : "ERR_CHOIR_ADDRESS",
    `--metrics-address ${quote(address)} ${what}`,
    { cause: error, hint: "Choose another --metrics-address, or leave --metrics away" },
  );
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { source, isLoopback }: { source: MetricsSource; isLoopback: boolean },
): Promise<void> {
  response.on("error", () => {});
  const foreign = foreignRequest(request.headers, isLoopback);
  if (foreign !== undefined) return end(response, 403, `${foreign}\n`);
  const [path] = (request.url ?? "").split("?");
  if (path !== PATH) return end(response, 404, `Metrics are at ${PATH}\n`);
  if (request.method !== "GET" && request.method !== "HEAD")
    return end(response, 405, `${PATH} is to be read only\n`, { Allow: "GET, HEAD" });
  try {
    const { contentType, text } = await source(request.headers.accept);
    end(response, 200, text, { "Content-Type": contentType });
  } catch (error) {
    end(response, 500, `${describeThrown(error)}\n`);
  }
}

function end(response: ServerResponse, status: number, text: string, headers: Record<string, string> = {}): void {
  if (response.destroyed) return;
  response.writeHead(status, {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": Buffer.byteLength(text),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'",
    ...headers,
  });
  response.end(text);
}
