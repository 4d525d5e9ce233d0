/** One connection of an HTTP server, as `connections.ts` knows it. Runs in the instance. */
import type { ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { OutgoingFrames } from "./websocket-frames.ts";

/** A request that was begun and is not over. */
export interface Exchange {
  readonly connection: Connection;
  readonly method: string;
  /** As the client sent it, with its query. */
  readonly url: string;
  /** By `Clock.now()`. */
  readonly startedAt: number;
}

/** How a connection left HTTP/1. */
export interface Upgrade extends Exchange {
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
  /** Requests begun and not over. */
  open = 0;

  constructor(socket: Socket) {
    this.socket = socket;
  }
}
