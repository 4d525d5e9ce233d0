/** Ends a request whose handler is never going to: with 500 while that can still be said, else with a cut. Runs in the instance. */
import type { ServerResponse } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import { http } from "./node-http.ts";

/** How a request was ended: told so, cut off since its answer had begun, or over already. */
export type Failure = "answered" | "cut" | "over";

const MESSAGE = http.STATUS_CODES[500] ?? "";
/** Headers that are the connection's and not the answer's. */
const KEPT = new Set(["connection", "date"]);

/** Answers with 500, or destroys what carries an answer that has begun: its client sees a cut and not a hang. Never throws. */
export function failExchange(exchange: ServerResponse | ServerHttp2Stream, requestId?: string): Failure {
  const headers = {
    "content-type": "text/plain; charset=utf-8",
    "content-length": String(MESSAGE.length),
    ...(requestId === undefined ? {} : { "x-request-id": requestId }),
  };
  return "req" in exchange ? failResponse(exchange, headers) : failStream(exchange, headers);
}

function failResponse(response: ServerResponse, headers: Record<string, string>): Failure {
  if (response.writableEnded || response.destroyed) return "over";
  if (!response.headersSent) {
    try {
      // What the handler had set is about an answer that does not come: a length, an encoding, a cache's orders.
      for (const name of response.getHeaderNames()) if (!KEPT.has(name)) response.removeHeader(name);
      response.writeHead(500, MESSAGE, headers);
      response.end(MESSAGE);
      return "answered";
    } catch {
      // An app may have replaced any of these methods, and this runs where an error would end the process.
    }
  }
  response.destroy();
  return "cut";
}

function failStream(stream: ServerHttp2Stream, headers: Record<string, string>): Failure {
  // The stream of a HEAD is ended by Node before its request is told of.
  if ((stream.writableEnded && stream.headersSent) || stream.destroyed || stream.closed) return "over";
  if (!stream.headersSent) {
    try {
      stream.respond({ ":status": 500, ...headers });
      if (!stream.writableEnded) stream.end(MESSAGE);
      return "answered";
    } catch {
      // As above.
    }
  }
  // Not `stream.close(code)`: Node 20 to 26 end the stream cleanly before their RST_STREAM, and half an answer looks whole.
  stream.once("error", () => {});
  stream.destroy(new Error("The request failed after its answer had begun"));
  return "cut";
}
