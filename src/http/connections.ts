/**
 * Every connection of one HTTP server and what is open on it: HTTP/1.1, TLS, HTTP/2 and upgraded sockets. Runs in the instance;
 * it only watches. `drain.ts` acts on what is known here, the statistics count it.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerResponse, IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Server, Socket } from "node:net";
import { Server as TlsServer } from "node:tls";
import { systemClock, type Clock } from "../clock.ts";
import type { OpenRequest } from "../protocol.ts";
import { type ClientError, isInHandshake, isRefusal } from "./client-error.ts";
import { Connection, type Exchange } from "./connection.ts";
import { Http1Drain } from "./drain-http1.ts";
import { Http2Drain } from "./drain-http2.ts";
import type { ConnectionWatcher } from "./connection-watcher.ts";
import { closePacketFor } from "./engine-polls.ts";
import { namesOfOldest, namesOfOpen } from "./open-requests.ts";
import { RequestMeter } from "./request-meter.ts";
import { onResponseFinish } from "./response-finish.ts";
import { tapServer } from "./server-tap.ts";
import { SocketMap } from "./socket-map.ts";
import { OutgoingFrames, watchFrames } from "./websocket-frames.ts";

export interface ConnectionsOptions {
  /** For the age of requests. Default: the system's. */
  readonly clock?: Clock;
  /** Whether answers are counted and timed; default true. */
  readonly measure?: boolean;
}

/** How often requests that are over are let go of. */
const SWEEP_MS = 1000;

/** Watches every connection of a server. Call it before the server listens. */
export function trackConnections(server: Server, options: ConnectionsOptions = {}): Connections {
  return new Connections(server, options);
}

/** The connections of one server. */
export class Connections {
  /** With TLS all that the server accepted, below TLS: a socket in the middle of a handshake is only here. Without TLS nothing. */
  readonly #accepted = new SocketMap<Socket>();
  /** Those that speak HTTP, or did before an upgrade, by the socket that requests carry. */
  readonly #connections = new SocketMap<Connection>();
  readonly #sessions = new WeakMap<ServerHttp2Session, Connection>();
  /** What was answered and how fast; undefined when nobody wants to know. */
  readonly meter: RequestMeter | undefined;
  readonly #clock: Clock;
  readonly #tls: boolean;
  readonly #onAcceptedClose: (this: Socket) => void;
  readonly #onConnectionClose: (this: Socket) => void;
  #watcher: ConnectionWatcher | undefined;
  /** The connection whose event is being emitted: the server makes an HTTP/2 session inside of it. */
  #connecting: Connection | undefined;
  #totalConnections = 0;
  #totalRequests = 0;
  #sweeping = false;
  #totalRefused = 0;
  #totalFailedHandshakes = 0;
  readonly #awaitingGone: (() => void)[] = [];

  constructor(server: Server, options: ConnectionsOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#tls = server instanceof TlsServer;
    this.meter = options.measure === false ? undefined : new RequestMeter();
    if (this.meter !== undefined) {
      const stop = onResponseFinish((response, socket) => this.#connections.get(socket)?.finish(response));
      server.once("close", stop);
    }
    // One listener of each kind for all sockets and requests: closures for each would be felt in every request.
    this.#onAcceptedClose = ofReceiver((socket) => this.#forgetAccepted(socket));
    this.#onConnectionClose = ofReceiver((socket) => this.#forget(socket));
    tapServer(server, {
      accepted: (socket) => this.#accept(socket),
      secured: (socket) => this.#connect(socket),
      session: (session) => this.#session(session),
      request: (response) => this.#request(response),
      held: (response, dispatch) => this.#held(response, dispatch),
      stream: (stream, headers) => this.#stream(stream, headers),
      upgrade: (request) => this.#upgrade(request),
      refused: (error, socket) => this.#refused(error, socket),
    });
  }

  /** Connections that are open, in the middle of a TLS handshake included. */
  get count(): number {
    return this.#tls ? this.#accepted.size : this.#connections.size;
  }

  /** Connections that left HTTP/1, as WebSockets do. */
  get upgraded(): number {
    return this.all().filter(({ upgrade }) => upgrade !== undefined).length;
  }

  /** Requests in flight; upgraded sockets are none. */
  get requests(): number {
    return this.all().reduce((count, { open }) => count + open.length, 0);
  }

  get totalConnections(): number {
    return this.#totalConnections;
  }

  get totalRequests(): number {
    return this.#totalRequests;
  }

  /** Connections ended for what a client sent as HTTP, or did not send in time: malformed, too large, too slow. */
  get totalRefused(): number {
    return this.#totalRefused;
  }

  get totalFailedHandshakes(): number {
    return this.#totalFailedHandshakes;
  }

  /** Connections past their TLS handshake. */
  all(): Connection[] {
    return this.#connections.values();
  }

  /** What is open, with its connection; upgraded sockets are not in it. */
  *exchanges(): Generator<[Connection, Exchange]> {
    for (const connection of this.all()) {
      for (const exchange of connection.open) yield [connection, exchange];
    }
  }

  /** Names what is open, upgraded sockets included, oldest first and without queries. */
  openRequests(): OpenRequest[] {
    return namesOfOpen(this.all(), this.#clock.now());
  }

  /** Names the oldest requests in flight that took `minAgeMs` so far, at most `most`: cheap, however much is open. */
  oldestRequests(most: number, minAgeMs: number): OpenRequest[] {
    return namesOfOldest(this.all(), { now: this.#clock.now(), most, minAgeMs });
  }

  /** Ends every connection at once, whatever is open on it. */
  destroyAll(): void {
    for (const { socket } of this.all()) socket.destroy();
    for (const socket of this.#accepted.values()) socket.destroy();
  }

  /** Ends what never got through its TLS handshake; does nothing while a connection that did is open. */
  destroyHandshakes(): void {
    // Node does not say which accepted socket a TLS socket came from. But when none of those is left, the rest are handshakes.
    if (this.#connections.size > 0) return;
    for (const socket of this.#accepted.values()) socket.destroy();
  }

  /** Resolves when no connection is open: at once when none is. */
  gone(): Promise<void> {
    if (this.count === 0) return Promise.resolve();
    return new Promise((resolve) => this.#awaitingGone.push(resolve));
  }

  /** Has all that happens told to `watcher`, from now on. */
  watch(watcher: ConnectionWatcher): void {
    this.#watcher = watcher;
    for (const connection of this.all()) {
      for (const { answer } of connection.open) this.#watchEnd(connection, answer);
    }
  }

  #accept(socket: Socket): void {
    this.#totalConnections++;
    if (!this.#tls) {
      this.#connect(socket);
      return;
    }
    this.#accepted.set(socket, socket);
    socket.on("close", this.#onAcceptedClose);
  }

  #connect(socket: Socket): void {
    const connection = new Connection(socket, { meter: this.meter, clock: this.#clock });
    this.#connections.set(socket, connection);
    socket.on("close", this.#onConnectionClose);
    this.#connecting = connection;
    this.#watcher?.connected(connection);
  }

  #session(session: ServerHttp2Session): void {
    const connection = this.#connecting;
    if (connection === undefined) return;
    connection.session = session;
    this.#sessions.set(session, connection);
    this.#watcher?.session(connection);
  }

  #request(response: ServerResponse): boolean {
    const { req } = response;
    if (req.httpVersionMajor > 1) {
      this.#compatible(response as unknown as Http2ServerResponse);
      return false;
    }
    const connection = this.#connections.get(req.socket);
    // An app that answers `checkContinue` emits `request` itself.
    if (connection === undefined || connection.has(response)) return false;
    const { method = "", url = "" } = req;
    this.#begin(connection, { answer: response, method, url, startedAt: this.#clock.now(), isCounted: false });
    return this.#watcher !== undefined || connection.ending !== undefined;
  }

  /** A stream as HTTP/2's compatibility API has it: the stream itself is known already. */
  #compatible(response: Http2ServerResponse): void {
    if (closePacketFor(response.req) === undefined) return;
    const session = response.stream.session as ServerHttp2Session | undefined;
    const exchange = session && this.#sessions.get(session)?.exchangeOf(response.stream);
    if (exchange === undefined) return;
    exchange.poll = response;
    this.#watcher?.poll(exchange);
  }

  #held(response: ServerResponse, dispatch: () => void): void {
    const connection = this.#connections.get(response.req.socket);
    if (connection === undefined) return;
    if (this.#watcher !== undefined) this.#watcher.request(connection, response, dispatch);
    else if (connection.ending instanceof Http1Drain) connection.ending.hold(response, dispatch);
  }

  #stream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const session = stream.session as ServerHttp2Session | undefined;
    const connection = session && this.#sessions.get(session);
    // A client that resets a stream at once: it is over before it is told of, and will not say so again.
    if (connection === undefined || stream.closed || stream.destroyed) return;
    const { ":method": method = "", ":path": url = "" } = headers;
    const exchange = { answer: stream, method, url, startedAt: this.#clock.now(), isCounted: false };
    connection.countStream(exchange, stream);
    this.#begin(connection, exchange);
    if (connection.ending instanceof Http2Drain) connection.ending.stream();
  }

  /**
   * Nothing listens for the end of a request until the server drains: that listener would be the dearest part of tracking. So
   * requests that are over are found by looking, when another one comes on their connection, and once a second.
   */
  #begin(connection: Connection, exchange: Exchange): void {
    this.#totalRequests++;
    connection.begin(exchange);
    if (this.#watcher !== undefined) this.#watchEnd(connection, exchange.answer);
    else if (!this.#sweeping) this.#sweepLater();
  }

  #sweepLater(): void {
    this.#sweeping = true;
    this.#clock.after(SWEEP_MS, () => {
      this.#sweeping = false;
      if (this.requests > 0) this.#sweepLater();
    });
  }

  #watchEnd(connection: Connection, answer: ServerResponse | ServerHttp2Stream): void {
    answer.once("close", () => {
      if (connection.open.length === 0 && !connection.socket.destroyed) this.#watcher?.idle(connection);
    });
  }

  #upgrade(request: IncomingMessage): void {
    const { socket, method = "", url = "" } = request;
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    const webSocket = request.headers.upgrade?.toLowerCase() === "websocket";
    const frames = webSocket ? new OutgoingFrames() : undefined;
    if (frames !== undefined) watchFrames(socket, frames);
    connection.upgrade = { method, url, startedAt: this.#clock.now(), frames };
    this.#watcher?.upgraded(connection);
  }

  #refused(error: ClientError, socket: unknown): void {
    if (isInHandshake(socket)) this.#totalFailedHandshakes++;
    else if (isRefusal(error)) this.#totalRefused++;
  }

  #forget(socket: Socket): void {
    this.#connections.get(socket)?.abort();
    if (this.#connections.delete(socket)) this.#watcher?.disconnected();
    if (!this.#tls) this.#sayIfGone();
  }

  #forgetAccepted(socket: Socket): void {
    this.#accepted.delete(socket);
    this.#sayIfGone();
  }

  #sayIfGone(): void {
    if (this.count === 0) for (const resolve of this.#awaitingGone.splice(0)) resolve();
  }
}

/** A listener that is given the emitter itself. */
function ofReceiver<T>(listener: (receiver: T) => void): (this: T) => void {
  return function onEvent(this: T) {
    listener(this);
  };
}
