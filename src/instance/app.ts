/**
 * Recognises by shape what configureServer returned, so that no framework has to be loaded to be supported. Runs in the instance;
 * `checkConfigureServer` also in the supervisor, before the first instance starts. open-server.ts makes a server of the result.
 */
import type { RequestListener, Server } from "node:http";
import net from "node:net";
import { ChoirError, quote } from "../errors.ts";
import type { AppServer } from "../http/limits.ts";
import { http } from "../http/node-http.ts";
import type { App } from "./fastify-app.ts";

/** An app that answers a web `Request`: Hono, h3, Elysia, or an object written by hand. */
export interface FetchApp {
  fetch(request: Request): Response | Promise<Response>;
}

/** A Koa app. */
export interface CallbackApp {
  callback(): RequestListener;
  readonly middleware: readonly unknown[];
}

/** A Fastify instance that the user made. */
export interface FastifyApp {
  readonly server: net.Server;
  ready(): PromiseLike<unknown>;
  close(): PromiseLike<unknown>;
  readonly inject: unknown;
  readonly addHook: unknown;
}

/** A NestJS app. */
export interface NestApp {
  init(): Promise<unknown>;
  close(): Promise<unknown>;
  getHttpServer(): unknown;
  getHttpAdapter(): unknown;
}

/** Every app that Choir serves besides its own. */
export type AnyApp = RequestListener | Server | FetchApp | CallbackApp | FastifyApp | NestApp;

/** What configureServer may return: nothing or its own app when it took one, else the app to serve. */
export type Served = void | App | AnyApp;

/** Sets up the app of one instance: the default app when it takes one as a parameter, else the one it returns. */
export type ConfigureServer = (app: App) => Served | Promise<Served>;

/** What is to be served, by what has to be done to serve it. */
export type ServedApp =
  | { readonly kind: "listener"; readonly name: string; readonly listener: RequestListener }
  | {
      readonly kind: "server";
      readonly name: string;
      readonly server: AppServer;
      /** Choir made the server, with TLS and limits as they are to be. */
      readonly ours?: true;
      /** To be awaited before the server listens. */
      prepare?(): PromiseLike<unknown>;
      /** To be called after the last response: Fastify's answers 503 from then on. */
      close?(): PromiseLike<unknown>;
    }
  | { readonly kind: "fetch"; readonly name: string; readonly app: FetchApp };

const WHAT_TO_RETURN =
  "Return a Fastify, Express, Koa, Hono, NestJS or h3 app, a (request, response) listener, an object with fetch or an http.Server; or take the default app as a parameter";

/** Tells what an app is; throws ERR_CHOIR_NO_APP or ERR_CHOIR_APP_LISTENS, saying what was got and what to write. */
export function recogniseApp(served: unknown): ServedApp {
  if (served instanceof net.Server) return { kind: "server", name: "http.Server", server: checkServer(served) };
  if (typeof served === "function") return recogniseFunction(served);
  if (typeof served === "object" && served !== null) {
    const app = recogniseObject(served);
    if (app !== undefined) return app;
  }
  const got = served === undefined ? "nothing" : quote(served);
  throw new ChoirError("ERR_CHOIR_NO_APP", `configureServer must return an app to serve, got ${got}`, {
    hint: WHAT_TO_RETURN,
  });
}

/** Makes sure that a server can be served: plain HTTP, and not listening. */
export function checkServer(server: unknown): Server {
  if (!(server instanceof http.Server)) {
    const got = server instanceof net.Server ? "one for TLS, HTTP/2 or bare TCP" : quote(server);
    throw new ChoirError("ERR_CHOIR_NO_APP", `The server to serve must be an http.Server, got ${got}`, {
      hint: "Return the app or the (request, response) listener itself, and leave TLS and HTTP/2 to Choir",
    });
  }
  return checkNotListening(server);
}

/** Makes sure that a server does not listen. */
export function checkNotListening<S extends net.Server>(server: S): S {
  if (server.listening) {
    throw new ChoirError("ERR_CHOIR_APP_LISTENS", "configureServer returned a server that listens already", {
      hint: "Leave listen() away: the instance listens on the sockets that the supervisor has bound",
    });
  }
  return server;
}

/** Checks what a Runner was given as configureServer; throws ERR_CHOIR_RUNNER saying what was got and what to write. */
export function checkConfigureServer(value: unknown): ConfigureServer {
  const wrong = whyNotConfigureServer(value);
  if (wrong === undefined) return value as ConfigureServer;
  throw new ChoirError("ERR_CHOIR_RUNNER", `configureServer must be a function that sets up the app, got ${wrong}`, {
    hint: "Write (app) => { app.get(…) } for the default app, or () => app to serve an app of your own",
  });
}

/**
 * Undefined for an app that speaks HTTP/2; else what it is, for a message. Express exchanges the prototypes of requests and responses
 * for those of HTTP/1 (docs/decisions/0011), and an http.Server was made for HTTP/1.
 */
export function http1OnlyName(served: ServedApp): string | undefined {
  if (served.kind === "fetch" || served.name === "fastify") return undefined;
  if (served.name === "express") return "An Express app";
  if (served.kind === "listener") return undefined;
  return served.name === "nest" ? "A NestJS app" : "An http.Server of the app's own";
}

function whyNotConfigureServer(value: unknown): string | undefined {
  if (value === undefined) return "nothing";
  if (typeof value !== "function") return quote(value);
  if (isClass(value)) return `class ${value.name}`;
  if (isExpress(value)) return "an Express app: write () => app";
  if (value.length >= 2) {
    return `${quote(value)} with ${value.length} parameters: write () => listener to serve a (request, response) listener`;
  }
  return undefined;
}

function recogniseFunction(served: Function): ServedApp {
  const listener = served as RequestListener;
  if (isExpress(served)) return { kind: "listener", name: "express", listener };
  if (isClass(served)) {
    throw new ChoirError("ERR_CHOIR_NO_APP", `configureServer must return an app, got class ${served.name}`, {
      hint: `Return an instance of it: new ${served.name}()`,
    });
  }
  if (served.length === 1) {
    throw new ChoirError(
      "ERR_CHOIR_NO_APP",
      `A listener takes (request, response), got ${quote(served)} with 1 parameter`,
      {
        hint: "Return { fetch } for a function from Request to Response",
      },
    );
  }
  return { kind: "listener", name: "listener", listener };
}

function recogniseObject(served: object): ServedApp | undefined {
  if (isFastify(served)) {
    const { server } = served;
    return {
      kind: "server",
      name: "fastify",
      server: checkServer(server),
      prepare: () => served.ready(),
      close: () => served.close(),
    };
  }
  if (isNest(served)) {
    return {
      kind: "server",
      name: "nest",
      server: checkServer(served.getHttpServer()),
      prepare: () => initNest(served),
      close: () => served.close(),
    };
  }
  if (has(served, "callback") && has(served, "use")) {
    return { kind: "listener", name: "koa", listener: (served as unknown as CallbackApp).callback() };
  }
  if (has(served, "fetch")) return { kind: "fetch", name: "fetch", app: served as FetchApp };
  return undefined;
}

async function initNest(app: NestApp): Promise<void> {
  await app.init();
  // With Fastify below, its plugins and routes are there only when it is ready; Express needs no more.
  const adapter = app.getHttpAdapter() as { getInstance?(): unknown } | undefined;
  const below = adapter?.getInstance?.();
  if (typeof below === "object" && below !== null && isFastify(below)) await below.ready();
}

function isFastify(served: object): served is FastifyApp {
  return (
    has(served, "ready") &&
    has(served, "inject") &&
    has(served, "addHook") &&
    has(served, "close") &&
    "server" in served
  );
}

function isNest(served: object): served is NestApp {
  return has(served, "init") && has(served, "getHttpServer") && has(served, "getHttpAdapter") && has(served, "close");
}

/** Express and Connect apps are functions with methods. */
function isExpress(served: Function): boolean {
  return has(served, "handle") && (has(served, "set") || has(served, "use"));
}

function has(object: object, method: string): boolean {
  return typeof (object as Readonly<Record<string, unknown>>)[method] === "function";
}

function isClass(value: Function): boolean {
  // A class's prototype cannot be assigned, a function's can; arrow functions and methods have none.
  return Object.getOwnPropertyDescriptor(value, "prototype")?.writable === false;
}
