/**
 * Answers the requests of a table of routes: the control socket's, and the dashboard's. Runs in the supervisor. Nothing that a client
 * sends ends more than its own connection.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { ChoirError, describeThrown } from "../errors.ts";
import type { Controllable, ControlFault } from "./controllable.ts";
import type { EventFeed } from "./event-feed.ts";
import { EventStream } from "./event-stream.ts";
import { BytesAnswer, sendBytes, StreamAnswer, TextAnswer, TextStream } from "./answers.ts";
import { MessageStream } from "./message-stream.ts";
import { factsOf, readBody, Refusal } from "./request.ts";
import type { Call, Route } from "./route.ts";

export interface ResponderSetup {
  readonly target: Controllable;
  /** What happens, for those who watch. */
  readonly events: Pick<EventFeed, "subscribe">;
  /** The route that a request is for; throws a Refusal for one that is not to be served. */
  readonly find: (request: IncomingMessage) => Route;
  /** Who asks, for the log. */
  readonly callerOf: (request: IncomingMessage, route: Route) => string;
}

export class Responder {
  readonly #setup: ResponderSetup;
  /** Answers that end when the supervisor does. */
  readonly #lasting = new Set<EventStream | MessageStream | TextStream>();

  constructor(setup: ResponderSetup) {
    this.#setup = setup;
  }

  /** Answers one request; never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { target, find, callerOf } = this.#setup;
    // A client that goes away while it is answered is no error of ours.
    response.on("error", () => {});
    try {
      const route = find(request);
      const facts = factsOf(request);
      const body = await readBody(request, route);
      if (route.listens !== undefined) {
        this.#keep(new MessageStream(response, target.messages, route.listens(body)), response);
        return;
      }
      const call = route.read(body, facts);
      const by = callerOf(request, route);
      // What has a form of its own shows events itself, if at all.
      if (facts.lines && route.gives === undefined) await this.#stream(response, { route, call, by });
      else await this.#answer(response, route.status, (await call(target, by)) ?? {});
    } catch (thrown) {
      refuse(response, thrown);
    }
  }

  /** Ends the answers that would go on. */
  endStreams(): void {
    for (const stream of this.#lasting) stream.end();
  }

  /** Answers with what a call gave. */
  async #answer(response: ServerResponse, status: number, value: unknown): Promise<void> {
    if (value instanceof StreamAnswer) {
      const stream = new TextStream(response, value.contentType);
      this.#keep(stream, response);
      value.begin(stream);
    } else if (value instanceof BytesAnswer) await sendBytes(response, value);
    else if (value instanceof TextAnswer) sendText(response, status, value);
    else sendJson(response, status, value);
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
    const stream = new EventStream(response, this.#setup.events);
    if (route.lasting) this.#keep(stream, response);
    try {
      const result = (await call(this.#setup.target, by)) ?? {};
      if (route.lasting) return;
      stream.write({ result });
    } catch (thrown) {
      stream.write({ error: faultOf(thrown) });
    }
    stream.end();
  }
}

/** Sends a value as a JSON document. */
export function sendJson(
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

/** Says why a request is not served. */
export function refuse(response: ServerResponse, thrown: unknown): void {
  if (thrown instanceof Refusal) {
    sendJson(response, thrown.status, { error: faultOf(thrown) }, thrown.headers);
    return;
  }
  const fault = faultOf(thrown);
  sendJson(response, fault.code === "ERR_CHOIR_REQUEST" ? 400 : 500, { error: fault });
}

function faultOf(thrown: unknown): ControlFault {
  if (thrown instanceof Refusal) return { code: "ERR_CHOIR_REQUEST", message: thrown.message };
  const code = thrown instanceof ChoirError ? thrown.code : "ERR_CHOIR_INTERNAL";
  return { code, message: describeThrown(thrown) };
}

/** Bytes that are no request, or one that took too long: an answer where one can still be written, then the end. */
export function refuseGarbage(error: NodeJS.ErrnoException, socket: Socket): void {
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
