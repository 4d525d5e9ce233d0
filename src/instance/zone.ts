/**
 * --use-zone: every request in an asynchronous context of its own, so that its log lines carry its id and an error that nobody
 * caught is traced to it. Runs in the instance; uncaught.ts decides what follows from such an error.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { randomBytes } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import type { Server } from "node:net";
import { type Failure, failExchange } from "../http/failure.ts";
import { pathOf } from "../http/path-of.ts";

/** The request in whose context code runs. */
export interface CurrentRequest {
  /** Unique: from `x-request-id` with --trust-request-id, else made here. */
  readonly id: string;
  readonly method: string;
  /** Without its query. */
  readonly path: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
}

/** What an id may be that comes from outside: it goes into log lines and headers. */
const TRUSTED_ID = /^[\w.:;=@+/~-]{1,128}$/;

type Emit = (event: string | symbol, ...args: unknown[]) => boolean;

/** Any EventEmitter; `emit` is a field here, since it is taken and put. */
interface Emitter {
  emit: Emit;
}

const ZONE = Symbol("choir.zone");
const EMIT = Symbol("choir.emit");

/** What emits in the zone of its request. Fields, since a closure for each request would be felt. */
interface BoundEmitter extends Emitter {
  [ZONE]: Zone;
  [EMIT]: Emit;
}

/** The context of one request. */
export class Zone implements CurrentRequest {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly startedAt = Date.now();
  #exchange: ServerResponse | ServerHttp2Stream | undefined;
  #failed = false;

  constructor(exchange: ServerResponse | ServerHttp2Stream, request: { id: string; method: string; url: string }) {
    this.#exchange = exchange;
    this.id = request.id;
    this.method = request.method;
    this.path = pathOf(request.url);
  }

  /** Whether it was ended by `fail`, so that its handler may now stumble over that. */
  get failed(): boolean {
    return this.#failed;
  }

  isOf(exchange: unknown): boolean {
    return this.#exchange === exchange;
  }

  /** Ends the request if it is open. */
  fail(): Failure {
    const failure = this.#exchange === undefined ? "over" : failExchange(this.#exchange, this.id);
    if (failure !== "over") this.#failed = true;
    return failure;
  }

  /** Lets go of the response: a context may live on in a timer or a pooled connection that the request has left behind. */
  over(): void {
    this.#exchange = undefined;
  }
}

export interface ZonesOptions {
  /** Whether `x-request-id` may name a request. */
  readonly trustRequestId: boolean;
}

export class Zones {
  readonly #storage = new AsyncLocalStorage<Zone>();
  readonly #trustRequestId: boolean;
  /** The `emit` of all bound emitters. */
  readonly #emitBound: (this: Emitter, ...args: [string | symbol, ...unknown[]]) => boolean;
  readonly #prefix = randomBytes(6).toString("hex");
  #count = 0;
  /** An error on its way out of a context that it has left already: see `#run`. */
  #thrown: { readonly error: unknown; readonly zone: Zone } | undefined;

  constructor({ trustRequestId }: ZonesOptions) {
    this.#trustRequestId = trustRequestId;
    this.#emitBound = ofReceiver((emitter, args) => this.#emitIn(emitter as BoundEmitter, args));
  }

  /** Runs every request of the server in a zone. To be called before the connections are tracked: a drain holds requests back outside of this. */
  open(server: Server): void {
    const emit: Emit = server.emit.bind(server);
    server.emit = (event: string | symbol, ...args: unknown[]): boolean => {
      const zone = this.#begin(event, args);
      return zone === undefined ? emit(event, ...args) : this.#run(zone, emit, [event, ...args]);
    };
  }

  /** The zone of the code that asks. */
  current(): Zone | undefined {
    return this.#storage.getStore();
  }

  /** What a log line carries of the current request. */
  logFields(): { readonly requestId?: string } {
    const zone = this.current();
    return zone === undefined ? {} : { requestId: zone.id };
  }

  /** The id of the current request, or a new one. */
  requestId(): string {
    return this.current()?.id ?? this.#newId();
  }

  /** The zone that an uncaught error came from; to be asked in the handler of `uncaughtException`. */
  blame(error: unknown): Zone | undefined {
    const thrown = this.#thrown;
    this.#thrown = undefined;
    return thrown !== undefined && Object.is(thrown.error, error) ? thrown.zone : this.current();
  }

  #begin(event: string | symbol, args: unknown[]): Zone | undefined {
    switch (event) {
      case "request":
      case "checkContinue":
      case "checkExpectation":
        return this.#ofRequest(args[0] as IncomingMessage, args[1] as ServerResponse);
      case "stream":
        return this.#ofStream(args[0] as ServerHttp2Stream, args[1] as IncomingHttpHeaders);
      default:
        return undefined;
    }
  }

  #ofRequest(request: IncomingMessage, response: ServerResponse): Zone | undefined {
    // The stream of HTTP/2's compatibility API has its zone already. An app that answers `checkContinue` emits `request` itself.
    if (request.httpVersionMajor > 1 || this.current()?.isOf(response)) return undefined;
    const { headers, method = "", url = "" } = request;
    const zone = new Zone(response, { id: this.#idFor(headers), method, url });
    this.#bind(zone, request);
    this.#bind(zone, response);
    return zone;
  }

  #ofStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Zone {
    const { ":method": method = "", ":path": url = "" } = headers as { ":method"?: string; ":path"?: string };
    const zone = new Zone(stream, { id: this.#idFor(headers), method, url });
    this.#bind(zone, stream);
    return zone;
  }

  /** Node emits what comes with later packets (a body, the end of a client) in the connection's context, not the request's. */
  #bind(zone: Zone, emitter: Emitter): void {
    const bound = emitter as BoundEmitter;
    bound[ZONE] = zone;
    bound[EMIT] = emitter.emit;
    emitter.emit = this.#emitBound;
  }

  #emitIn(emitter: BoundEmitter, args: [string | symbol, ...unknown[]]): boolean {
    const zone = emitter[ZONE];
    try {
      if (this.#storage.getStore() === zone) return Reflect.apply(emitter[EMIT], emitter, args);
      return this.#run(zone, emitter[EMIT].bind(emitter), args);
    } finally {
      if (args[0] === "close" && zone.isOf(emitter)) zone.over();
    }
  }

  #run(zone: Zone, emit: Emit, args: [string | symbol, ...unknown[]]): boolean {
    try {
      return this.#storage.run(zone, emit, ...args);
    } catch (error) {
      // Thrown at once, and not from a later turn: the context is left before Node calls it uncaught.
      this.#thrown = { error, zone };
      throw error;
    }
  }

  #idFor(headers: IncomingHttpHeaders): string {
    if (this.#trustRequestId) {
      const given = headers["x-request-id"];
      if (typeof given === "string" && TRUSTED_ID.test(given)) return given;
    }
    return this.#newId();
  }

  #newId(): string {
    this.#count += 1;
    return `${this.#prefix}-${this.#count.toString(36)}`;
  }
}

/** A method that is given its object. */
function ofReceiver<T, A extends unknown[], R>(method: (receiver: T, args: A) => R): (this: T, ...args: A) => R {
  return function receive(this: T, ...args: A) {
    return method(this, args);
  };
}
