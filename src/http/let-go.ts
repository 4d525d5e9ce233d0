/**
 * Lets go of connections without costing their clients a request, while the server serves on: their next answer says
 * `Connection: close`, or their next stream is followed by GOAWAY. Runs in the instance; src/supervisor/balance.ts asks for it.
 */
import type { Clock } from "../clock.ts";
import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { Http1Drain } from "./drain-http1.ts";
import { Http2Drain } from "./drain-http2.ts";
import { lingerAfterEnd } from "./linger.ts";

/** How long an HTTP/2 connection on which nothing happens is waited for; an HTTP/1 one has its keep-alive timeout. */
const IDLE_MS = 5000;

/** Lets go of `count` connections, those that have been open longest; upgraded ones stay. */
export function letGo(connections: Connections, count: number, clock: Clock): void {
  let left = count;
  for (const connection of connections.all()) {
    if (left <= 0) return;
    if (connection.upgrade !== undefined || connection.ending !== undefined) continue;
    end(connection, clock);
    left -= 1;
  }
}

function end(connection: Connection, clock: Clock): void {
  lingerAfterEnd(connection.socket, clock);
  if (connection.session !== undefined) {
    connection.ending = new Http2Drain(connection.session, { idleMs: IDLE_MS, clock });
    return;
  }
  const drain = new Http1Drain(connection, { idleMs: undefined, clock });
  connection.ending = drain;
  for (const { answer } of connection.open) if ("req" in answer) drain.take(answer);
}
