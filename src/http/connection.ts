/** One connection of an HTTP server, as `connections.ts` knows it. Runs in the instance. */
import type { ServerResponse } from "node:http";
import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";
import type { PollResponse } from "./engine-polls.ts";
import { ABORTED, type RequestMeter, statusClassOf } from "./request-meter.ts";
import type { Http1Drain } from "./drain-http1.ts";
import type { Http2Drain } from "./drain-http2.ts";
import type { OutgoingFrames } from "./websocket-frames.ts";

/** A request that was begun and is not over. */
export interface Exchange {
  /** What answers it. */
  readonly answer: ServerResponse | ServerHttp2Stream;
  readonly method: string;
  /** As the client sent it, with its query. */
  readonly url: string;
  /** By `Clock.now()`. */
  readonly startedAt: number;
  /** Whether its end has been counted, or somebody else is going to. */
  isCounted: boolean;
  /** Set when it is a long poll: what the app answers it with. */
  poll?: PollResponse;
}

/** How a connection left HTTP/1. */
export interface Upgrade extends Omit<Exchange, "answer" | "isCounted"> {
  /** What is known of the frames sent, if it is a WebSocket. */
  readonly frames: OutgoingFrames | undefined;
}

/** A connection past its TLS handshake. */
export class Connection {
  /** The socket that requests carry: on a TLS server the TLS one. */
  readonly socket: Socket;
  /** Set when it speaks HTTP/2. */
  session: ServerHttp2Session | undefined = undefined;
  /** Set when it left HTTP/1. */
  upgrade: Upgrade | undefined = undefined;
  /** Set when it is on its way to its end. */
  ending: Http1Drain | Http2Drain | undefined = undefined;
  readonly #exchanges: Exchange[] = [];
  readonly #meter: RequestMeter | undefined;
  readonly #clock: Pick<Clock, "now">;

  constructor(socket: Socket, { meter, clock }: { meter: RequestMeter | undefined; clock: Pick<Clock, "now"> }) {
    this.socket = socket;
    this.#meter = meter;
    this.#clock = clock;
  }

  /** Requests begun and not over, in the order in which they came: more than one when they are pipelined, or streams. */
  get open(): readonly Exchange[] {
    this.forgetEnded();
    return this.#exchanges;
  }

  /** Whether `answer` is open here. */
  has(answer: Exchange["answer"]): boolean {
    return this.exchangeOf(answer) !== undefined;
  }

  exchangeOf(answer: Exchange["answer"]): Exchange | undefined {
    for (const exchange of this.#exchanges) if (exchange.answer === answer) return exchange;
    return undefined;
  }

  begin(exchange: Exchange): void {
    this.forgetEnded();
    this.#exchanges.push(exchange);
  }

  /** Lets go of requests that are over: each keeps alive all that the app has attached to it. */
  forgetEnded(): void {
    const exchanges = this.#exchanges;
    for (let n = exchanges.length - 1; n >= 0; n--) {
      const exchange = exchanges[n];
      if (exchange?.answer.destroyed !== true) continue;
      // An answer that reached its end has been counted by now.
      if (!exchange.isCounted) this.#count(exchange, ABORTED);
      remove(exchanges, n);
    }
  }

  /**
   * Counts an HTTP/1 answer that was written to its end, and lets go of it: kept until the next request comes, one of every connection
   * would survive each collection of new objects, and V8 would double the room for them.
   */
  finish(answer: ServerResponse): void {
    const exchanges = this.#exchanges;
    for (let n = exchanges.length - 1; n >= 0; n--) {
      const exchange = exchanges[n];
      if (exchange?.answer !== answer) continue;
      if (!exchange.isCounted) this.#count(exchange, statusClassOf(answer.statusCode));
      remove(exchanges, n);
    }
  }

  /** Counts what was being answered as aborted: the connection is gone. */
  abort(): void {
    for (const exchange of this.#exchanges) if (!exchange.isCounted) this.#count(exchange, ABORTED);
  }

  /** Counts an HTTP/2 stream when it is over. It costs a listener, which is little beside what a stream costs. */
  countStream(exchange: Exchange, stream: ServerHttp2Stream): void {
    if (this.#meter === undefined) return;
    exchange.isCounted = true;
    stream.once("close", () => {
      const status = Number(stream.sentHeaders?.[":status"] ?? 0);
      const isWhole = status > 0 && !stream.aborted && (stream.rstCode ?? 0) === 0;
      this.#meter?.count(HTTP2, isWhole ? statusClassOf(status) : ABORTED, this.#clock.now() - exchange.startedAt);
    });
  }

  #count(exchange: Exchange, statusClass: number): void {
    exchange.isCounted = true;
    const { req } = exchange.answer as ServerResponse;
    const protocol = req.httpVersionMinor === 0 ? HTTP1_0 : HTTP1_1;
    this.#meter?.count(protocol, statusClass, this.#clock.now() - exchange.startedAt);
  }
}

/** As in PROTOCOLS. */
const HTTP1_0 = 0;
const HTTP1_1 = 1;
const HTTP2 = 2;

function remove(exchanges: Exchange[], at: number): void {
  // Nearly always the only one, or the last: that allocates nothing.
  if (at === exchanges.length - 1) exchanges.pop();
  else exchanges.splice(at, 1);
}
