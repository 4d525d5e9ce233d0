/** Makes the one http.Server of an instance out of whatever app is to be served, with the header policy applied. Runs in the instance. */
import type { RequestListener, Server } from "node:http";
import type { HeaderPolicy } from "../http/headers.ts";
import { createHttpServer } from "../http/server.ts";
import { applyHeaderPolicy } from "../http/write-head.ts";
import { checkServer, type FetchApp, type ServedApp } from "./app.ts";

export interface OpenServerOptions {
  readonly headers: HeaderPolicy;
  /** Told what a fetch handler throws. */
  readonly onError: (error: unknown) => void;
}

/** Makes the server for an app, ready to listen. */
export async function openServer(served: ServedApp, options: OpenServerOptions): Promise<Server> {
  const { headers, onError } = options;
  if (served.kind === "server") {
    await served.prepare?.();
    // Checked again: what it prepared may have listened.
    const server = checkServer(served.server);
    applyHeaderPolicy(server, headers);
    return server;
  }
  const listener = served.kind === "fetch" ? await fetchListener(served.app, onError) : served.listener;
  return createHttpServer(listener, { headers });
}

/** Makes a (request, response) listener of an object with `fetch`. */
async function fetchListener(app: FetchApp, onError: (error: unknown) => void): Promise<RequestListener> {
  // Loaded only for apps that need it.
  const { toNodeHandler } = await import("srvx/node");
  const fail = (error: unknown): Response => {
    onError(error);
    return new Response("Internal Server Error", { status: 500 });
  };
  const handler = toNodeHandler((request) => {
    try {
      const response = app.fetch(request);
      return response instanceof Promise ? response.catch(fail) : response;
    } catch (error) {
      return fail(error);
    }
  });
  return handler as RequestListener;
}
