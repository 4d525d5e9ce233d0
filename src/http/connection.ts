/** One connection of an HTTP server, as `connections.ts` knows it. Runs in the instance. */
import type { ServerResponse } from "node:http";
import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
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
}

/** How a connection left HTTP/1. */
export interface Upgrade extends Omit<Exchange, "answer"> {
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

  constructor(socket: Socket) {
    this.socket = socket;
  }

  /** Requests begun and not over, in the order in which they came: more than one when they are pipelined, or streams. */
  get open(): readonly Exchange[] {
    this.forgetEnded();
    return this.#exchanges;
  }

  /** Whether `answer` is open here. */
  has(answer: Exchange["answer"]): boolean {
    for (const exchange of this.#exchanges) if (exchange.answer === answer) return true;
    return false;
  }

  begin(exchange: Exchange): void {
    this.forgetEnded();
    this.#exchanges.push(exchange);
  }

  /** Lets go of requests that are over: each keeps alive all that the app has attached to it. */
  forgetEnded(): void {
    const exchanges = this.#exchanges;
    for (let n = exchanges.length - 1; n >= 0; n--) if (exchanges[n]?.answer.destroyed === true) remove(exchanges, n);
  }
}

function remove(exchanges: Exchange[], at: number): void {
  // Nearly always the only one, or the last: that allocates nothing.
  if (at === exchanges.length - 1) exchanges.pop();
  else exchanges.splice(at, 1);
}
