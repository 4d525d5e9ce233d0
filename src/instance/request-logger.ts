/**
 * The logger of one request in the default app, made when it is first written to: making one for every request costs as much as
 * 4 % of a small one (docs/decisions/0003). Runs in the instance.
 */
import type { FastifyBaseLogger } from "fastify";
import type { ChildLoggerOptions, Logger } from "pino";
import { CARRIES_REQUEST_ID, type MarkedLogger } from "./logger.ts";

type Bindings = Record<string, unknown>;
type Method = "info" | "error" | "debug" | "fatal" | "warn" | "trace" | "silent";

/** What a request's lines carry of Fastify's objects: no query, which may hold secrets. */
export const REQUEST_SERIALIZERS = {
  req: (request: { method?: string; url?: string; ip?: string }) => ({
    method: request.method,
    path: request.url?.split("?", 1)[0],
    remoteAddress: request.ip,
  }),
  res: (reply: { statusCode?: number }) => ({ statusCode: reply.statusCode }),
};

/** What all loggers of one app's requests have in common. */
export interface RequestLogSource {
  /** Whose children they are; looked up when the first one is written to. */
  readonly parent: () => Logger;
  /** The name under which their lines carry the request's id. */
  readonly idLabel: string;
}

/** A child logger at once, for what has a level or serializers of its own. */
export function childLogger({ parent }: RequestLogSource, bindings: Bindings, options?: ChildLoggerOptions): Logger {
  const child: MarkedLogger = parent().child(bindings, options);
  if ("requestId" in bindings) child[CARRIES_REQUEST_ID] = true;
  return child;
}

/** A child logger that is not there until it is used. */
export class RequestLogger implements FastifyBaseLogger {
  readonly #source: RequestLogSource;
  readonly #request: { readonly id: string };
  #made: Logger | undefined;

  constructor(source: RequestLogSource, request: { readonly id: string }) {
    this.#source = source;
    this.#request = request;
  }

  get level(): string {
    return this.#child().level;
  }
  set level(level: string) {
    this.#child().level = level;
  }

  info(...line: unknown[]): void {
    this.#write("info", line);
  }
  error(...line: unknown[]): void {
    this.#write("error", line);
  }
  debug(...line: unknown[]): void {
    this.#write("debug", line);
  }
  fatal(...line: unknown[]): void {
    this.#write("fatal", line);
  }
  warn(...line: unknown[]): void {
    this.#write("warn", line);
  }
  trace(...line: unknown[]): void {
    this.#write("trace", line);
  }
  silent(...line: unknown[]): void {
    this.#write("silent", line);
  }
  child(bindings: Bindings, options?: ChildLoggerOptions): FastifyBaseLogger {
    return this.#child().child(bindings, options);
  }

  #write(method: Method, line: unknown[]): void {
    const child = this.#child();
    Reflect.apply(child[method], child, line);
  }

  #child(): Logger {
    return (this.#made ??= childLogger(this.#source, { [this.#source.idLabel]: this.#request.id }));
  }
}
