/**
 * Puts `Connection: close` on the last answer of a connection, whatever the app says, and takes it back from one that has not
 * been sent. Runs in the instance.
 */
import type { ServerResponse } from "node:http";

/** Has `response` say `Connection: close` if `isLast()` when its head is made: a later request may come until then. */
export function closeWhenLast(response: ServerResponse, isLast: () => boolean): void {
  const writeHead = response.writeHead.bind(response);
  // All heads go through writeHead, implicit ones too. As a property of the response it survives frameworks that exchange its prototype.
  response.writeHead = (...args: unknown[]): ServerResponse => {
    if (response.headersSent || !isLast()) return Reflect.apply(writeHead, undefined, args);
    response.shouldKeepAlive = false;
    const [at, headers] = headersOf(args);
    if (headers === undefined) response.setHeader("Connection", "close");
    else args[at] = withClose(headers);
    return Reflect.apply(writeHead, undefined, args);
  };
}

/** What Node keeps of a head that is made but not sent. All of it may be missing: then nothing is taken back. */
interface UnsentHead {
  _header?: unknown;
  _headerSent?: unknown;
  _last?: boolean;
  outputData?: { data: unknown }[];
}

/**
 * Takes `Connection: close` back from a response whose head has not reached the socket: one that waits behind another pipelined
 * one, or whose app has made its head and sent no body. Gives false when it was sent.
 */
export function withdrawClose(response: ServerResponse): boolean {
  if (!response.headersSent) return true;
  const head = response as ServerResponse & UnsentHead;
  const queued = response.socket === null ? head.outputData?.[0] : undefined;
  const made = head._headerSent === false ? head._header : queued?.data;
  if (typeof made !== "string") return false;
  const kept = keepAliveInstead(made);
  if (kept === undefined) return false;
  if (head._headerSent === false) head._header = kept;
  else if (queued !== undefined) queued.data = kept;
  head._last = false;
  response.shouldKeepAlive = true;
  return true;
}

function keepAliveInstead(text: string): string | undefined {
  const end = text.indexOf("\r\n\r\n");
  const at = text.indexOf("\r\nConnection: close\r\n");
  if (at === -1 || at > end) return undefined;
  return `${text.slice(0, at)}\r\nConnection: keep-alive\r\n${text.slice(at + "\r\nConnection: close\r\n".length)}`;
}

/** Which of `writeHead(status, message?, headers?)`'s arguments the headers are: Node lets the message be left out or empty. */
function headersOf(args: unknown[]): [number, object | undefined] {
  const at = typeof args[1] === "string" || (args[2] ?? undefined) !== undefined ? 2 : 1;
  const headers = args[at];
  return [at, typeof headers === "object" && headers !== null ? headers : undefined];
}

/** The same headers, in the same one of the forms that `writeHead` takes, with no Connection but ours. */
export function withClose(headers: object): object {
  if (!Array.isArray(headers)) {
    return {
      ...Object.fromEntries(Object.entries(headers).filter(([name]) => !isConnection(name))),
      Connection: "close",
    };
  }
  if (Array.isArray(headers[0])) {
    return [...headers.filter((pair: unknown[]) => !isConnection(pair[0])), ["Connection", "close"]];
  }
  const kept: unknown[] = [];
  for (let n = 0; n < headers.length; n += 2) if (!isConnection(headers[n])) kept.push(headers[n], headers[n + 1]);
  return [...kept, "Connection", "close"];
}

function isConnection(name: unknown): boolean {
  return typeof name === "string" && name.toLowerCase() === "connection";
}
