/**
 * Answers what never becomes a request (malformed, too large, too slow) as Node itself does, with the policy's headers.
 * Runs in the instance; Node's own answer is a constant that no patch of ServerResponse reaches.
 */
import type { Server } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import type { HeaderPolicy } from "./headers.ts";
import { http } from "./node-http.ts";

export type ClientError = Error & { code?: string };

/** Handles `'clientError'`. */
export type ClientErrorHandler = (error: ClientError, socket: Duplex) => void;

/** Fastify's own handler, bound to its instance; a user's goes by another name. */
const FASTIFY_DEFAULT = "bound defaultClientErrorHandler";

/** Answers a server's client errors with the policy's headers, unless the app has a handler of its own. */
export function answerClientErrors(server: Server, policy: HeaderPolicy): void {
  for (const listener of server.listeners("clientError")) {
    if (listener.name === FASTIFY_DEFAULT) server.removeListener("clientError", listener as ClientErrorHandler);
  }
  const answer = clientErrorHandler(policy);
  server.on("clientError", (error: ClientError, socket) => {
    // The app has its own, before ours or after: two answers on one connection would be one too many.
    if (server.listenerCount("clientError") > 1) return;
    answer(error, socket);
  });
}

/** Makes a `'clientError'` handler that answers as Node does, with the policy's headers. */
export function clientErrorHandler(policy: HeaderPolicy): ClientErrorHandler {
  const headers = headerLines(policy);
  return (error, socket) => {
    if (socket.writable && !isInHandshake(socket) && !hasBegunToAnswer(socket)) {
      const status = statusFor(error.code);
      socket.write(`HTTP/1.1 ${status} ${http.STATUS_CODES[status] ?? ""}\r\n${headers}\r\n`, "latin1");
    }
    socket.destroy(error);
  };
}

/** Whether a client's HTTP is refused, and not only its connection lost. */
export function isRefusal({ code }: ClientError): boolean {
  return code !== undefined && /^(?:HPE_|ERR_HTTP_)/.test(code);
}

/** Whether it is about a TLS handshake, which is a client error to Node too: HTTP has no place there. */
export function isInHandshake(socket: unknown): boolean {
  // Null until the handshake is done, then the protocol's name or false.
  return socket instanceof TLSSocket && socket.alpnProtocol === null;
}

/** The status that Node answers a parser's error or a timeout with. */
export function statusFor(code: string | undefined): number {
  if (code === "HPE_HEADER_OVERFLOW") return 431;
  if (code === "HPE_CHUNK_EXTENSIONS_OVERFLOW") return 413;
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return 408;
  return 400;
}

function headerLines(policy: HeaderPolicy): string {
  const removed = policy.removes.get("connection");
  const lines = removed === true || removed?.has("close") ? [] : ["Connection: close\r\n"];
  for (const { name, key, value } of policy.adds) {
    if (key === "connection") continue;
    for (const one of [value].flat()) lines.push(`${name}: ${one}\r\n`);
  }
  return lines.join("");
}

/** An error's answer in the middle of another one would be taken for a part of that. */
export function hasBegunToAnswer(socket: Duplex): boolean {
  // Node's own handler looks here too, there is no public way: if the field went, a test says so.
  const { _httpMessage: message } = socket as { _httpMessage?: { headersSent: boolean } | null };
  return message?.headersSent === true;
}
