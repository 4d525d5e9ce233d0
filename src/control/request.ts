/**
 * Reads a request on the control socket or the dashboard's port, within bounds: which route, what body, what form of answer. Used in the supervisor.
 */
import type { IncomingMessage } from "node:http";
import { quote } from "../errors.ts";
import { requestError, type RequestFacts, type Route } from "./route.ts";

/** A request that cannot be served, with its HTTP status. */
export class Refusal extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

/** Most bytes of a request's body. */
const MOST_BYTES = 16 * 1024;

/** Finds the route that a request is for. */
export function routeOf({ method, url = "" }: IncomingMessage, routes: readonly Route[]): Route {
  const [pathname] = url.split("?");
  const here = routes.filter((route) => route.path === pathname);
  const route = here.find((route) => route.method === method);
  if (route !== undefined) return route;
  if (here.length === 0) {
    throw new Refusal(404, `Nothing is at ${quote(pathname)}; there are ${routes.map(({ path }) => path).join(", ")}`);
  }
  const allowed = here.map(({ method }) => method).join(", ");
  throw new Refusal(405, `${pathname} takes ${allowed}, got ${method}`, { Allow: allowed });
}

/** Reads the body: a JSON object, or nothing, which counts as an empty one. */
export async function readBody(
  request: IncomingMessage,
  { mostBytes = MOST_BYTES }: Pick<Route, "mostBytes"> = {},
): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // What is left of it is not read: the connection ends with the answer.
    if (bytes > mostBytes)
      throw new Refusal(413, `The request's body is over ${mostBytes} bytes`, { Connection: "close" });
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  return text.trim() === "" ? {} : parseObject(text);
}

/** What a route may want to know of a request besides its body. */
export function factsOf({ url = "", headers }: IncomingMessage): RequestFacts {
  const [, query = ""] = url.split("?");
  const accept = headers.accept;
  return { query: new URLSearchParams(query), accept, lines: accept?.includes("application/x-ndjson") ?? false };
}

/** Who asks, for the log: nothing that a client says gets into it. */
export function callerOf({ headers }: IncomingMessage, route: Route): string {
  return headers["user-agent"]?.startsWith("choir/") === true ? route.command : "a request on the control socket";
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw requestError(`The request's body is not JSON: ${quote(text)}`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw requestError(`The request's body must be a JSON object, got ${quote(value)}`);
}
