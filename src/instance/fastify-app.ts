/** The default app: a Fastify instance with Choir's container on it, never listening by itself. Runs in the instance. */
import { finished } from "node:stream";
import type { IncomingMessage, RequestListener, Server, ServerOptions, ServerResponse } from "node:http";
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  FastifyServerOptions,
  LogController,
} from "fastify";
import type { Logger } from "pino";
import { clientErrorHandler } from "../http/client-error.ts";
import type { RequestNote } from "../http/access-log.ts";
import type { HeaderPolicy } from "../http/headers.ts";
import { createServer, PLAIN_SETTINGS, type ServerSettings } from "../http/server.ts";
import { createAppContainer } from "./container.ts";
import type { AppContainer, Services } from "./cradle.ts";
import { childLogger, REQUEST_SERIALIZERS, RequestLogger, type RequestLogSource } from "./request-logger.ts";
import type { Zones } from "./zone.ts";

declare module "fastify" {
  interface FastifyInstance {
    /** Choir's services and the app's own. */
    readonly container: AppContainer;
  }
  interface FastifyRequest {
    /** A scope of the app's container for this request, made when first asked for and disposed after the response. */
    readonly container: AppContainer;
  }
}

/** The default app that configureServer gets. */
export type App = FastifyInstance & { readonly container: AppContainer };

/** Fastify's own options; sockets, TLS and HTTP/2 are Choir's. */
export type FastifyOptions = Omit<FastifyServerOptions, "serverFactory"> & {
  /** Node's own options of an HTTP/1 server. */
  readonly http?: ServerOptions | null;
  /** How long an HTTP/2 connection may idle, in milliseconds. */
  readonly http2SessionTimeout?: number;
};

export interface DefaultAppOptions {
  readonly services: Services;
  readonly headers: HeaderPolicy;
  readonly fastify?: FastifyOptions | undefined;
  /** Only with --use-zone. */
  readonly zones?: Zones | undefined;
  /** Default: plain HTTP. */
  readonly settings?: ServerSettings | undefined;
  /** Only with --access-log. */
  readonly accessLog?: RequestNotes | undefined;
}

/** What the access log and Fastify tell each other of a request. */
export interface RequestNotes {
  /** Makes an id. */
  readonly requestId: () => string;
  readonly note: (raw: IncomingMessage, note: RequestNote) => void;
}

const RESPONSE = Symbol("choir.response");
const SCOPE = Symbol("choir.scope");

/** Makes the default app. In an object, since a promise of a Fastify instance would wait until that has booted. */
export async function createDefaultApp(options: DefaultAppOptions): Promise<{ readonly app: App }> {
  const { fastify: Fastify, LogController } = await import("fastify");
  const { services, headers, fastify = {}, zones, settings = PLAIN_SETTINGS, accessLog } = options;
  const ids = zones ?? accessLog;
  const logController =
    fastify.logController ?? quietController(LogController, ids && { requestIdLogLabel: "requestId" });
  const app = Fastify({
    clientErrorHandler: clientErrorHandler(headers),
    // One id for a request, whoever is asked for it.
    ...(ids && { genReqId: () => ids.requestId() }),
    ...fastify,
    logController,
    serverFactory: (listener: RequestListener) => serverFor(listener, fastify, settings),
  });
  const loggers = { idLabel: logController.requestIdLogLabel, hasFactory: fastify.childLoggerFactory !== undefined };
  const giveLogger = hasLogger(fastify) ? undefined : requestLoggers(app, services, loggers);
  if (giveLogger !== undefined) logWith(app, services);
  // Both the container and the logger are loaded by apps that use them: the others save 8 MB in each instance.
  let container: AppContainer | undefined;
  app.decorate("container", { getter: () => (container ??= createAppContainer(services)) });
  addRequestScopes(app);
  onEachRequest(logController, (request, reply) => {
    (request as unknown as ScopedRequest)[RESPONSE] = reply.raw;
    giveLogger?.(request, reply);
    accessLog?.note(request.raw, request);
  });
  return { app };
}

/**
 * Hears of every request that Fastify takes up, before its hooks do. It is what the log controller is told first; a hook of our own would
 * cost each request ten times as much.
 */
function onEachRequest(
  controller: LogController,
  listener: (request: FastifyRequest, reply: FastifyReply) => void,
): void {
  const incomingRequest = controller.incomingRequest.bind(controller);
  controller.incomingRequest = (request, reply, metadata) => {
    listener(request, reply);
    incomingRequest(request, reply, metadata);
  };
}

/** The server as --ssl, --http2 and the limits have it; what Fastify's own options say of limits wins. */
function serverFor(listener: RequestListener, fastify: FastifyOptions, { limits, tls }: ServerSettings): Server {
  const { keepAliveTimeout, requestTimeout, maxRequestsPerSocket, connectionTimeout, http2SessionTimeout } = fastify;
  const node = fastify.http ?? {};
  const server = createServer({
    limits: {
      keepAliveTimeout: keepAliveTimeout ?? node.keepAliveTimeout ?? limits.keepAliveTimeout,
      requestTimeout: requestTimeout ?? node.requestTimeout ?? limits.requestTimeout,
      headersTimeout: node.headersTimeout ?? limits.headersTimeout,
      maxRequestsPerSocket: maxRequestsPerSocket ?? limits.maxRequestsPerSocket,
      maxHeaderSize: node.maxHeaderSize ?? limits.maxHeaderSize,
    },
    tls,
    node,
    http2IdleMs: http2SessionTimeout,
  });
  server.on("request", listener);
  if (connectionTimeout !== undefined) Object.assign(server, { timeout: connectionTimeout });
  // Fastify speaks all three; its types tell them apart at every route, and an app is written once.
  return server as Server;
}

/** Keeps Fastify from a line for every request; errors are still logged, which its own switch would silence too. */
function quietController(Base: typeof LogController, options?: { requestIdLogLabel: string }): LogController {
  const controller = new Base(options);
  controller.incomingRequest = () => {};
  controller.requestCompleted = () => {};
  controller.routeNotFound = () => {};
  return controller;
}

/**
 * Gives requests our logger in the place of the one that Fastify has when it has none. With `loggerInstance` it would make a child logger
 * and two listeners for every request, to log what is not logged; with a `childLoggerFactory` it would check each child anew.
 */
function requestLoggers(
  app: FastifyInstance,
  services: Services,
  { idLabel, hasFactory }: { readonly idLabel: string; readonly hasFactory: boolean },
): (request: FastifyRequest, reply: FastifyReply) => void {
  let made: Logger | undefined;
  const source: RequestLogSource = {
    parent: () => (made ??= services.logger.child({}, { serializers: REQUEST_SERIALIZERS })),
    idLabel,
  };
  const none = app.log;
  const usual = app.childLoggerFactory;
  // An app's own factory comes with its options, or later.
  const isUsual = (plugin: FastifyInstance): boolean => !hasFactory && plugin.childLoggerFactory === usual;
  // Routes and plugins with a level or serializers of their own: Fastify knows what these are, and only a factory is told.
  const factory: FastifyInstance["childLoggerFactory"] = (_none, bindings, options) =>
    childLogger(source, bindings, options);
  app.addHook("onRegister", (plugin, options) => {
    if (hasLogSettings(options) && isUsual(plugin)) plugin.setChildLoggerFactory(factory);
  });
  app.addHook("onRoute", function onRoute(route) {
    if (hasLogSettings(route) && isUsual(this)) route.childLoggerFactory ??= factory;
  });
  return (request, reply) => {
    if (request.log === none) request.log = reply.log = new RequestLogger(source, request);
  };
}

function hasLogSettings({ logLevel, logSerializers }: { logLevel?: unknown; logSerializers?: unknown }): boolean {
  return Boolean(logLevel) || Boolean(logSerializers);
}

/** Makes `app.log` our logger, which is looked up when it is used; an app may put another one in its place. */
function logWith(app: FastifyInstance, services: Services): void {
  let log: FastifyBaseLogger | undefined;
  Object.defineProperty(app, "log", {
    get: () => log ?? services.logger,
    set(other: FastifyBaseLogger) {
      log = other;
    },
    enumerable: true,
    configurable: true,
  });
}

function hasLogger(options: FastifyOptions): boolean {
  return options.loggerInstance !== undefined || options.logger !== undefined;
}

interface ScopedRequest {
  readonly server: FastifyInstance;
  /** A Fastify request does not know its response. */
  [RESPONSE]?: ServerResponse;
  [SCOPE]?: AppContainer;
}

function addRequestScopes(app: FastifyInstance): void {
  app.decorateRequest("container", {
    getter(this: unknown): AppContainer {
      const request = this as ScopedRequest;
      return (request[SCOPE] ??= openScope(request));
    },
  });
}

function openScope({ server, [RESPONSE]: response }: ScopedRequest): AppContainer {
  const scope = server.container.createScope();
  const dispose = (): void => {
    scope.dispose().catch((error: unknown) => {
      server.log.error({ err: error }, "The container of a request could not be disposed of");
    });
  };
  // Also when the client went away, or when the response was over before the scope was asked for.
  if (response !== undefined) finished(response, dispose);
  return scope;
}
