/** Sees what an HTTP server emits before the app does, without being one of its listeners. Runs in the instance. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Server, Socket } from "node:net";
import type { ClientError } from "./client-error.ts";

/** What is made of a server's events. */
export interface ServerEvents {
  /** A socket was accepted: on a TLS server the one below TLS. */
  accepted(socket: Socket): void;
  /** A TLS handshake is done. */
  secured(socket: Socket): void;
  /** The connection of the last event speaks HTTP/2. */
  session(session: ServerHttp2Session): void;
  /** An HTTP/1 request, or one of HTTP/2's compatibility API; with true the app hears of it by `held` only. */
  request(response: ServerResponse): boolean;
  /** Follows a `request` that gave true. */
  held(response: ServerResponse, dispatch: () => void): void;
  stream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void;
  /** A connection leaves HTTP/1 by `Upgrade` or CONNECT. */
  upgrade(request: IncomingMessage): void;
  /** A client was refused before it had a request: what it sent is malformed, too large or too slow, or its handshake failed. */
  refused(error: ClientError, socket: unknown): void;
}

/**
 * Puts `events` before all listeners of `server`.
 *
 * Listeners of its own would not do: one for `upgrade` makes Node take Upgrade requests for an app that has none, and libraries
 * that take over `request` (engine.io does) remove all others.
 */
export function tapServer(server: Server, events: ServerEvents): void {
  const emit = server.emit.bind(server);
  server.emit = (event: string | symbol, ...args: unknown[]): boolean => {
    // The closure is made elsewhere: in this function it would cost every event.
    if (!before(events, event, args)) return hold(events, emit, [event, ...args]);
    return emit(event, ...args);
  };
}

type Emit = (event: string | symbol, ...args: unknown[]) => boolean;

function hold(events: ServerEvents, emit: Emit, [event, ...args]: [string | symbol, ...unknown[]]): true {
  events.held(args[1] as ServerResponse, () => emit(event, ...args));
  return true;
}

function before(events: ServerEvents, event: string | symbol, args: unknown[]): boolean {
  switch (event) {
    case "request":
    case "checkContinue":
    case "checkExpectation":
      return !events.request(args[1] as ServerResponse);
    case "stream":
      events.stream(args[0] as ServerHttp2Stream, args[1] as IncomingHttpHeaders);
      break;
    case "connection":
      events.accepted(args[0] as Socket);
      break;
    case "secureConnection":
      events.secured(args[0] as Socket);
      break;
    case "session":
      events.session(args[0] as ServerHttp2Session);
      break;
    case "upgrade":
    case "connect":
      events.upgrade(args[0] as IncomingMessage);
      break;
    case "clientError":
      events.refused(args[0] as ClientError, args[1]);
      break;
    default:
  }
  return true;
}
