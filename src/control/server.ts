/**
 * The control socket's HTTP server. Runs in the supervisor, for its owner only: the socket is 0600. Nothing that a client sends
 * ends more than its own connection; src/control/client.ts is the other side.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { ChoirError, describeThrown } from "../errors.ts";
import { http } from "../http/node-http.ts";
import type { Controllable, ControlFault } from "./controllable.ts";
import type { EventFeed } from "./event-feed.ts";
import { EventStream } from "./event-stream.ts";
import { BytesAnswer, sendBytes, StreamAnswer, TextAnswer, TextStream } from "./answers.ts";
import { foreignRequest } from "./guard.ts";
import { MessageStream } from "./message-stream.ts";
import { callerOf, factsOf, readBody, Refusal, routeOf } from "./request.ts";
import type { Call, Route } from "./route.ts";
import { bindControlSocket, type ControlSocket } from "./socket.ts";

export interface ControlServerOptions {
  /** What happens, for those who watch. */
  readonly events: EventFeed;
  /** How long a client may take to send its request, in milliseconds; default 10 s. */
  readonly requestTimeout?: number;
  /** How long answers that are being written may take when the server closes, in milliseconds; default 1 s. */
  readonly closeTimeout?: number;
}

/** Most clients at one time. */
const MOST_CONNECTIONS = 256;

export class ControlServer {
  readonly #target: Controllable;
  readonly #events: EventFeed;
  readonly #http: Server;
  readonly #closeTimeout: number;
  /** Answers that end when the supervisor does. */
  readonly #lasting = new Set<EventStream | MessageStream | TextStream>();
  #socket: ControlSocket | undefined;

  constructor(target: Controllable, { events, requestTimeout = 10_000, closeTimeout = 1000 }: ControlServerOptions) {
    this.#target = target;
    this.#events = events;
    this.#closeTimeout = closeTimeout;
    this.#http = http.createServer({
      requestTimeout,
      keepAliveTimeout: 5000,
      connectionsCheckingInterval: Math.min(1000, requestTimeout),
      maxHeaderSize: 8 * 1024,
      // The answer to a request without Host would not be JSON.
      requireHostHeader: false,
    });
    this.#http.maxConnections = MOST_CONNECTIONS;
    this.#http.on("request", (request, response) => void this.#handle(request, response));
    this.#http.on("clientError", refuseGarbage);
  }

  /** Listens at `file`; throws ERR_CHOIR_NAME_IN_USE while an app answers there, and ERR_CHOIR_CONTROL when it cannot be had. */
  async listen(file: string): Promise<void> {
    this.#socket = await bindControlSocket(this.#http, file);
    // The supervisor's life is the instances': a client that stays must not prolong it.
    this.#http.unref();
  }

  /** Ends what is still being answered, and removes the socket's file. */
  async close(): Promise<void> {
    if (this.#socket === undefined) return;
    for (const stream of this.#lasting) stream.end();
    const closed = this.#socket.close();
    this.#http.closeIdleConnections();
    const late = setTimeout(() => this.#http.closeAllConnections(), this.#closeTimeout);
    await closed;
    clearTimeout(late);
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A client that goes away while it is answered is no error of ours.
    response.on("error", () => {});
    try {
      // Nobody but a browser says where it comes from, and none can have been sent here but through somebody's proxy.
      const foreign = foreignRequest(request.headers, false);
      if (foreign !== undefined) throw new Refusal(403, foreign);
      const route = routeOf(request);
      const facts = factsOf(request);
      const body = await readBody(request, route);
      if (route.listens !== undefined) {
        this.#keep(new MessageStream(response, this.#target.messages, route.listens(body)), response);
        return;
      }
      const call = route.read(body, facts);
      const by = callerOf(request, route);
      // What has a form of its own shows events itself, if at all.
      if (facts.lines && route.gives === undefined) await this.#stream(response, { route, call, by });
      else await this.#answer(response, route.status, (await call(this.#target, by)) ?? {});
    } catch (thrown) {
      refuse(response, thrown);
    }
  }

  /** Answers with what a call gave. */
  async #answer(response: ServerResponse, status: number, value: unknown): Promise<void> {
    if (value instanceof StreamAnswer) {
      const stream = new TextStream(response, value.contentType);
      this.#keep(stream, response);
      value.begin(stream);
    } else if (value instanceof BytesAnswer) await sendBytes(response, value);
    else if (value instanceof TextAnswer) sendText(response, status, value);
    else send(response, status, value);
  }

  /** Ends it when the server closes, unless its client has gone before. */
  #keep(stream: EventStream | MessageStream | TextStream, response: ServerResponse): void {
    this.#lasting.add(stream);
    response.once("close", () => this.#lasting.delete(stream));
  }

  async #stream(
    response: ServerResponse,
    { route, call, by }: { route: Route; call: Call; by: string },
  ): Promise<void> {
    const stream = new EventStream(response, this.#events);
    if (route.lasting) this.#keep(stream, response);
    try {
      const result = (await call(this.#target, by)) ?? {};
      if (route.lasting) return;
      stream.write({ result });
    } catch (thrown) {
      stream.write({ error: faultOf(thrown) });
    }
    stream.end();
  }
}

function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  sendText(response, status, { contentType: "application/json", text: `${JSON.stringify(body)}\n` }, headers);
}

function sendText(
  response: ServerResponse,
  status: number,
  { contentType, text }: { readonly contentType: string; readonly text: string },
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, {
    "Content-Type": contentType,
    "Content-Length": Buffer.byteLength(text),
    "Cache-Control": "no-store",
    ...headers,
  });
  response.end(text);
}

function refuse(response: ServerResponse, thrown: unknown): void {
  if (thrown instanceof Refusal) {
    send(response, thrown.status, { error: faultOf(thrown) }, thrown.headers);
    return;
  }
  const fault = faultOf(thrown);
  send(response, fault.code === "ERR_CHOIR_REQUEST" ? 400 : 500, { error: fault });
}

function faultOf(thrown: unknown): ControlFault {
  if (thrown instanceof Refusal) return { code: "ERR_CHOIR_REQUEST", message: thrown.message };
  const code = thrown instanceof ChoirError ? thrown.code : "ERR_CHOIR_INTERNAL";
  return { code, message: describeThrown(thrown) };
}

/** Bytes that are no request, or one that took too long: an answer where one can still be written, then the end. */
function refuseGarbage(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const late = error.code === "ERR_HTTP_REQUEST_TIMEOUT";
  const message = late ? "The request took too long" : `This is no HTTP request: ${describeThrown(error)}`;
  const text = `${JSON.stringify({ error: { code: "ERR_CHOIR_REQUEST", message } })}\n`;
  const status = late ? "408 Request Timeout" : "400 Bad Request";
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`,
    // Half a close would leave the descriptor to the client's mercy.
    () => socket.destroy(),
  );
}
