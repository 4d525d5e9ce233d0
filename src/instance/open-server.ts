/** Makes the one server of an instance out of whatever app is to be served, with header policy and limits applied. Runs in the instance. */
import type { RequestListener } from "node:http";
import type { HeaderPolicy } from "../http/headers.ts";
import { type AppServer, applyLimits, limitsBeside } from "../http/limits.ts";
import { createHttpServer, createServer, PLAIN_SETTINGS, type ServerSettings } from "../http/server.ts";
import { applyHeaderPolicy } from "../http/write-head.ts";
import { adopt } from "./adopt.ts";
import { checkNotListening, checkServer, type FetchApp, http1OnlyName, type ServedApp } from "./app.ts";

export interface OpenServerOptions {
  readonly headers: HeaderPolicy;
  /** Told what a fetch handler throws. */
  readonly onError: (error: unknown) => void;
  /** Default: plain HTTP. */
  readonly settings?: ServerSettings;
}

/** Makes the server for an app, ready to listen. */
export async function openServer(served: ServedApp, options: OpenServerOptions): Promise<AppServer> {
  const { headers, onError, settings: wanted = PLAIN_SETTINGS } = options;
  const settings = settingsFor(served, wanted);
  if (served.kind === "server") {
    await served.prepare?.();
    const server = serverOf(served, settings);
    applyHeaderPolicy(server, headers);
    return server;
  }
  const listener = served.kind === "fetch" ? await fetchListener(served.app, onError) : served.listener;
  return createHttpServer(listener, { headers, ...settings });
}

/** Offers HTTP/2 only for an app that speaks it. */
function settingsFor(served: ServedApp, settings: ServerSettings): ServerSettings {
  const { tls } = settings;
  if (tls === undefined || http1OnlyName(served) === undefined) return settings;
  return { ...settings, tls: { ...tls, http2: false } };
}

function serverOf(served: ServedApp & { kind: "server" }, settings: ServerSettings): AppServer {
  if (served.ours) return checkNotListening(served.server);
  // Checked again: what it prepared may have listened.
  const own = checkServer(served.server);
  const limits = limitsBeside(own, settings.limits);
  if (settings.tls === undefined) {
    applyLimits(own, limits);
    return own;
  }
  const server = createServer({ ...settings, limits });
  adopt(own, server);
  return server;
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
