/** What hears of connections while the server drains: `drain.ts` is one. Types only; used in the instance. */
import type { ServerResponse } from "node:http";
import type { Connection, Exchange } from "./connection.ts";

/** What hears of connections while the server drains. */
export interface ConnectionWatcher {
  /** A connection is ready for its first request; its session, if it is HTTP/2, is told of after this. */
  connected(connection: Connection): void;
  /** A connection speaks HTTP/2. */
  session(connection: Connection): void;
  /** An HTTP/1 request came; the app hears of it when `dispatch` is called. */
  request(connection: Connection, response: ServerResponse, dispatch: () => void): void;
  /** An HTTP/2 request is a long poll. */
  poll(exchange: Exchange): void;
  /** A connection left HTTP/1. */
  upgraded(connection: Connection): void;
  /** The last request open on a connection is over. */
  idle(connection: Connection): void;
  /** A connection is gone. */
  disconnected(): void;
}
