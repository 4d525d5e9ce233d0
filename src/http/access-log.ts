/**
 * --access-log: a line for each request that is over, whatever framework answers. Runs in the instance; loaded only where it is wanted, so
 * that it costs nothing elsewhere.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Server, Socket } from "node:net";
import type { Clock } from "../clock.ts";
import {
  type Access,
  type AccessFormat,
  type AccessFormatterOptions,
  createAccessFormatter,
  type Refusal,
} from "./access-line.ts";
import { type ClientError, hasBegunToAnswer, isInHandshake, isRefusal, statusFor } from "./client-error.ts";
import { pathOf } from "./path-of.ts";
import { watchRawAnswer } from "./raw-answer.ts";

export interface AccessLogOptions extends AccessFormatterOptions {
  readonly format: AccessFormat;
  /** Whether queries are logged, which may hold secrets. */
  readonly query: boolean;
  readonly clock: Clock;
  /** Takes whole lines, of one turn of the event loop at once. */
  readonly write: (lines: string) => void;
  /** The id of the request that is being handled. */
  readonly requestId: () => string;
}

/** What a framework knows better of a request: its own id, and the client behind a proxy that it trusts. */
export interface RequestNote {
  readonly id: string;
  readonly ip: string;
}

const NOTE = Symbol("choir.accessNote");
const SEEN = Symbol("choir.accessSeen");

/** Notes what a framework knows of a request, for its line. */
export function noteRequest(raw: IncomingMessage & { readonly stream?: object }, note: RequestNote): void {
  Object.assign(raw.stream ?? raw, { [NOTE]: note });
}

type Noted = { readonly [NOTE]?: RequestNote };
type Emit = (event: string | symbol, ...args: unknown[]) => boolean;

/** Logs every request of a server. To be called before its zones are opened. */
export function logAccess(server: Server, options: AccessLogOptions): AccessLog {
  const log = new AccessLog(options);
  const emit: Emit = server.emit.bind(server);
  server.emit = (event: string | symbol, ...args: unknown[]): boolean => {
    if (event === "clientError") {
      return log.refusal(args[0] as ClientError, args[1] as Socket, () => emit(event, ...args));
    }
    see(log, event, args);
    return emit(event, ...args);
  };
  return log;
}

function see(log: AccessLog, event: string | symbol, args: unknown[]): void {
  switch (event) {
    case "request":
    case "checkContinue":
    case "checkExpectation":
      log.request(args[0] as IncomingMessage, args[1] as ServerResponse & { [SEEN]?: true });
      break;
    case "stream":
      log.stream(args[0] as ServerHttp2Stream, args[1] as IncomingHttpHeaders);
      break;
    case "upgrade":
    case "connect":
      log.upgrade(args[0] as IncomingMessage);
      break;
    default:
  }
}

/** How much is collected before it is written within a turn, characters. */
const MOST_COLLECTED = 32 * 1024;

export class AccessLog {
  readonly #options: AccessLogOptions;
  readonly #format: (access: Access | Refusal) => string;
  #lines = "";

  constructor(options: AccessLogOptions) {
    this.#options = options;
    this.#format = createAccessFormatter(options.format, options);
  }

  /** Sees an HTTP/1 request; those of HTTP/2's compatibility API are seen as streams. */
  request(request: IncomingMessage, response: ServerResponse & { [SEEN]?: true }): void {
    // An app that answers `checkContinue` emits `request` itself.
    if (request.httpVersionMajor > 1 || response[SEEN] === true) return;
    response[SEEN] = true;
    const { headers, method = "", url = "", httpVersion, socket } = request;
    const begun = this.#begin(headers, { method, url, protocol: `HTTP/${httpVersion}`, client: socket.remoteAddress });
    const bytes = countBytes(response);
    response.once("close", () => {
      const isWhole = response.writableFinished;
      this.#end(begun, {
        // As nginx has it: the client went away before there was an answer.
        status: response.headersSent ? response.statusCode : 499,
        bytes: method === "HEAD" || response.statusCode === 304 ? 0 : bytes(),
        isAborted: !isWhole,
        note: (request as Noted)[NOTE],
      });
    });
  }

  /** Sees an HTTP/2 request. */
  stream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const { ":method": method = "", ":path": url = "" } = headers as { ":method"?: string; ":path"?: string };
    const client = stream.session?.socket?.remoteAddress;
    const begun = this.#begin(headers, { method, url, protocol: "HTTP/2.0", client });
    const bytes = countBytes(stream);
    stream.once("close", () => {
      const sent = stream.sentHeaders as { ":status"?: number; "content-length"?: string | number } | undefined;
      this.#end(begun, {
        status: sent?.[":status"] ?? 499,
        // A file that Node sends itself is seen by its length only.
        bytes: bytes() || (method === "HEAD" ? 0 : Number(sent?.["content-length"] ?? 0)),
        isAborted: stream.aborted || stream.rstCode !== 0,
        note: (stream as Noted)[NOTE],
      });
    });
  }

  /** Sees a connection leave HTTP/1, by `Upgrade` or CONNECT: it is over when the connection is. */
  upgrade(request: IncomingMessage): void {
    const { headers, method = "", url = "", httpVersion, socket } = request;
    const begun = this.#begin(headers, { method, url, protocol: `HTTP/${httpVersion}`, client: socket.remoteAddress });
    const before = socket.bytesWritten;
    // A connection may stay open for days: the request, which holds all that a framework knows of it, must not stay as long.
    let asked: Noted | undefined = request as Noted;
    let note: RequestNote | undefined;
    const takeNote = (): void => {
      const known = asked?.[NOTE];
      if (known !== undefined) note = { id: known.id, ip: known.ip };
      asked = undefined;
    };
    const answer = watchRawAnswer(socket, takeNote);
    socket.once("close", () => {
      takeNote();
      this.#end(begun, {
        status: answer.status ?? 499,
        bytes: Math.max(0, socket.bytesWritten - before - answer.headBytes),
        isAborted: answer.status === undefined,
        note,
      });
    });
  }

  /** Has something answered that never became a request, and logs it; gives what `handle` gives: whether somebody listens. */
  refusal(error: ClientError, socket: Socket, handle: () => boolean): boolean {
    // Browsers open connections in advance, and let them go without a word. What is being answered has a line of its own.
    const isSilent = socket.bytesRead === 0 || isInHandshake(socket) || hasBegunToAnswer(socket);
    if (isSilent || !isRefusal(error)) return handle();
    const client = socket.remoteAddress;
    const answer = watchRawAnswer(socket);
    const isHandled = handle();
    // Where nobody listens Node answers next; a listener of the app's may answer later, or never.
    const status = answer.status ?? statusFor(error.code);
    this.#add(this.#format({ time: this.#options.clock.date(), client, status, error: error.code ?? error.name }));
    return isHandled;
  }

  /** Writes what is collected. */
  flush(): void {
    const lines = this.#lines;
    this.#lines = "";
    if (lines !== "") this.#options.write(lines);
  }

  #begin(headers: IncomingHttpHeaders, request: Request): Begun {
    const { clock, query, requestId } = this.#options;
    const path = query ? request.url : pathOf(request.url);
    const referer = headers.referer === undefined || query ? headers.referer : pathOf(headers.referer);
    return { ...request, path, referer, userAgent: headers["user-agent"], at: clock.now(), id: requestId() };
  }

  #end(
    begun: Begun,
    { note, ...end }: Pick<Access, "status" | "bytes" | "isAborted"> & { note: RequestNote | undefined },
  ): void {
    const { clock } = this.#options;
    this.#add(
      this.#format({
        ...begun,
        ...end,
        client: note?.ip ?? begun.client,
        requestId: note?.id ?? begun.id,
        time: clock.date(),
        latencyMs: clock.now() - begun.at,
      }),
    );
  }

  #add(line: string): void {
    if (this.#lines === "") setImmediate(() => this.flush());
    this.#lines += line;
    if (this.#lines.length > MOST_COLLECTED) this.flush();
  }
}

interface Request extends Pick<Access, "method" | "protocol" | "client"> {
  readonly url: string;
}

interface Begun extends Request, Pick<Access, "path" | "referer" | "userAgent"> {
  readonly id: string;
  /** By `Clock.now()`. */
  readonly at: number;
}

interface Writable {
  write(...args: never[]): unknown;
  end(...args: never[]): unknown;
}

/** Counts the bytes of a body as the app writes them. */
function countBytes(answer: Writable): () => number {
  let bytes = 0;
  for (const name of ["write", "end"] as const) {
    const original = answer[name] as (...args: unknown[]) => unknown;
    const counting = (...args: unknown[]): unknown => {
      bytes += lengthOf(args[0], args[1]);
      return Reflect.apply(original, answer, args);
    };
    Object.assign(answer, { [name]: counting });
  }
  return () => bytes;
}

function lengthOf(chunk: unknown, encoding: unknown): number {
  if (typeof chunk === "string") {
    return Buffer.byteLength(chunk, typeof encoding === "string" ? (encoding as BufferEncoding) : "utf8");
  }
  return chunk instanceof Uint8Array ? chunk.byteLength : 0;
}
