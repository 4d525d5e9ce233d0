/** The drain of an instance's HTTP server: the order of things, from the last accept to the last byte. Runs in the instance. */
import type { ServerResponse } from "node:http";
import type { Clock } from "../clock.ts";
import type { DrainReason } from "../protocol.ts";
import type { Connection, Exchange } from "./connection.ts";
import type { ConnectionWatcher } from "./connection-watcher.ts";
import type { Connections } from "./connections.ts";
import { Http1Drain } from "./drain-http1.ts";
import { Http2Drain } from "./drain-http2.ts";
import { answerPoll, closePacketFor } from "./engine-polls.ts";
import { lingerAfterEnd } from "./linger.ts";
import { sendGoingAway } from "./websocket-frames.ts";

/** What accepts connections for the server. */
export interface Acceptors {
  /**
   * Stops accepting on every descriptor, at once, without touching connections: for an http.Server that is
   * `net.Server.prototype.close.call(server)`, since its own `close` destroys idle ones.
   */
  stop(): void | Promise<void>;
}

export interface DrainOptions {
  /** `stop`: nobody else accepts any more. `replaced`: others do. */
  readonly mode: DrainReason;
  readonly acceptors: Acceptors;
  /** How long idle connections stay open on a stop. */
  readonly idleGraceMs: number;
  /** How long idle connections stay open when replaced: the server's keep-alive timeout. */
  readonly keepAliveTimeoutMs: number;
  /** How long the server goes on as if nothing was, for load balancers to see that it is not ready. */
  readonly drainDelayMs: number;
  /** Over how long WebSockets are closed when replaced, so that their clients do not come back all at once. */
  readonly closeSpreadMs: number;
  readonly clock: Clock;
}

/** How long a stop accepts at most until the shared queue is found empty. */
const QUEUE_MS = 1000;
/** What a turn of the loop may take that closes the queue: whoever connects between its accept and its end is reset by the kernel. */
const QUICK_TURN_MS = 0.5;
/** How long a client may take to answer a WebSocket's close frame. */
const CLOSE_FRAME_MS = 5000;
/** How long a session that sends nothing waits for its GOAWAY. */
const GOAWAY_MS = 500;
/** What Node itself adds to the timeout that clients are told of. */
const KEEP_ALIVE_BUFFER_MS = 1000;

/** Drains the server: resolves when its last connection is gone. Who calls it sets the deadline. */
export async function drainServer(connections: Connections, options: DrainOptions): Promise<void> {
  const { acceptors, clock, drainDelayMs, mode } = options;
  if (drainDelayMs > 0) await new Promise<void>((resolve) => clock.after(drainDelayMs, resolve));
  if (mode === "stop") await queueEmpty(connections, clock);
  // So that no handler, which may have called this, is in the middle of a packet with several requests.
  else await turn();
  const stopped = acceptors.stop();
  new Drain(connections, options).begin();
  await Promise.all([stopped, connections.gone()]);
}

/**
 * Resolves when the queue of connections was empty for a moment. libuv asks it in each turn of the loop, so one whole turn
 * without a new connection says that; other instances that share it only make it true earlier. It has to be a quick one:
 * the kernel resets who comes between the last look at the queue and the close.
 */
async function queueEmpty(connections: Connections, clock: Clock): Promise<void> {
  const deadline = clock.now() + QUEUE_MS;
  // The first turn may be one that has polled already.
  await turn();
  let isEmpty: boolean;
  do {
    const before = connections.totalConnections;
    const from = clock.now();
    await turn();
    isEmpty = connections.totalConnections === before && clock.now() - from < QUICK_TURN_MS;
  } while (!isEmpty && clock.now() < deadline);
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

class Drain implements ConnectionWatcher {
  readonly #connections: Connections;
  readonly #options: DrainOptions;
  readonly #idleMs: number;
  #handshakesOver = false;

  constructor(connections: Connections, options: DrainOptions) {
    this.#connections = connections;
    this.#options = options;
    this.#idleMs = options.mode === "stop" ? options.idleGraceMs : options.keepAliveTimeoutMs + KEEP_ALIVE_BUFFER_MS;
  }

  begin(): void {
    this.#connections.watch(this);
    // Those whose clients come back when they are closed.
    const closings: ((share: number) => void)[] = [];
    for (const connection of this.#connections.all()) {
      this.connected(connection);
      if (connection.session !== undefined) this.session(connection);
      if (connection.upgrade !== undefined) closings.push((share) => this.#closeWebSocket(connection, share));
      for (const exchange of connection.open) {
        if (closePacketFor(exchange) !== undefined) closings.push((share) => this.#endPoll(exchange, share));
      }
    }
    closings.forEach((close, n) => close(n / closings.length));
    this.#options.clock.after(this.#idleMs, () => {
      this.#handshakesOver = true;
      this.#connections.destroyHandshakes();
    });
  }

  connected(connection: Connection): void {
    lingerAfterEnd(connection.socket, this.#options.clock);
    if (connection.session !== undefined || connection.upgrade !== undefined) return;
    if (connection.ending instanceof Http1Drain) {
      // It had been let go already.
      connection.ending.hurry(this.#idleMs);
      return;
    }
    const drain = new Http1Drain(connection, { idleMs: this.#idleMs, clock: this.#options.clock });
    connection.ending = drain;
    for (const { answer } of connection.open) if ("req" in answer) drain.take(answer);
    if (connection.open.length === 0) drain.idle();
  }

  session(connection: Connection): void {
    const { clock, idleGraceMs, mode } = this.#options;
    const idleMs = mode === "stop" ? Math.min(idleGraceMs, GOAWAY_MS) : GOAWAY_MS;
    if (connection.session) connection.ending = new Http2Drain(connection.session, { idleMs, clock });
  }

  request(connection: Connection, response: ServerResponse, dispatch: () => void): void {
    const dispatchPoll = (): void => {
      dispatch();
      const exchange = connection.exchangeOf(response);
      if (exchange !== undefined) this.#endPoll(exchange, this.#options.clock.random());
    };
    if (connection.ending instanceof Http1Drain) connection.ending.hold(response, dispatchPoll);
    else dispatchPoll();
  }

  poll(exchange: Exchange): void {
    this.#endPoll(exchange, this.#options.clock.random());
  }

  upgraded(connection: Connection): void {
    this.#closeWebSocket(connection, this.#options.clock.random());
  }

  idle(connection: Connection): void {
    if (connection.ending instanceof Http1Drain) connection.ending.idle();
  }

  disconnected(): void {
    if (this.#handshakesOver) this.#connections.destroyHandshakes();
  }

  /** Closes a WebSocket at its share of the spread, 0 to 1. Other upgraded sockets stay until the deadline. */
  #closeWebSocket({ socket, upgrade }: Connection, share: number): void {
    const frames = upgrade?.frames;
    if (frames === undefined) return;
    this.#atShare(share, () => {
      sendGoingAway(socket, frames);
      this.#options.clock.after(CLOSE_FRAME_MS, () => socket.end());
    });
  }

  /** Ends a long poll at its share of the spread: nobody can say how long it would stay open. */
  #endPoll(exchange: Exchange, share: number): void {
    const packet = closePacketFor(exchange);
    const response = exchange.poll ?? ("req" in exchange.answer ? exchange.answer : undefined);
    if (packet === undefined || response === undefined) return;
    this.#atShare(share, () => answerPoll(response, packet));
  }

  #atShare(share: number, close: () => void): void {
    const { clock, closeSpreadMs, mode } = this.#options;
    if (mode === "stop") close();
    else clock.after(share * closeSpreadMs, close);
  }
}
