/**
 * Serves metrics on a port of their own, for --metrics: one path, to read only. Runs in the supervisor; the same text is on the control
 * socket. Loaded only when it is wanted.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { describeThrown } from "../../errors.ts";
import { http } from "../../http/node-http.ts";
import { foreignRequest } from "../guard.ts";
import { isLoopback, listenOnPort, readEndpoint } from "../port.ts";
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
  const owner = { flag: "--metrics", address } as const;
  const onLoopback = isLoopback(readEndpoint(owner).host);
  const server = http.createServer({
    requestTimeout: 10_000,
    connectionsCheckingInterval: 1000,
    keepAliveTimeout: IDLE_MS,
    maxHeaderSize: 8 * 1024,
  });
  server.maxConnections = MOST_CONNECTIONS;
  server.setTimeout(IDLE_MS, (socket) => socket.destroy());
  server.on("request", (request, response) => void answer(request, response, { source, isLoopback: onLoopback }));
  const origin = await listenOnPort(server, { ...owner, retryMs });
  return {
    url: `${origin}${PATH}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
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
