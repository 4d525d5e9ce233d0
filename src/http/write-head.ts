/**
 * Applies a header policy to every HTTP/1 response of one server, whatever framework answers. Runs in the instance.
 *
 * `http.ServerResponse.prototype.writeHead` is the one place every response passes: a subclass would be lost when Express replaces
 * the prototype of `res`. HTTP/2 streams do not pass it: stream-head.ts is their place.
 */
import type { OutgoingHttpHeader, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { answerClientErrors } from "./client-error.ts";
import { clashes, type HeaderPolicy } from "./headers.ts";
import { addAndRemove, withoutNodeHeaders, type FlatHead, type GivenHead } from "./head.ts";
import type { AppServer } from "./limits.ts";
import { http } from "./node-http.ts";
import { applyToStreams } from "./stream-head.ts";

type WriteHead = (this: ServerResponse, status: number, reason?: unknown, headers?: GivenHead) => ServerResponse;

/** What a connection of a server with a policy carries. */
interface Mark {
  readonly policy: HeaderPolicy;
  readonly server: AppServer;
}

const MARK = Symbol("choir.headers");
const PATCHED = Symbol("choir.patched");

type MarkedSocket = Socket & { [MARK]?: Mark };

/** Makes every response of the server follow the policy; to be called once, before it listens. No other server is touched. */
export function applyHeaderPolicy(server: AppServer, policy: HeaderPolicy): void {
  if (policy.isEmpty) return;
  patchOnce();
  const mark: Mark = { policy, server };
  const onConnection = (socket: MarkedSocket): void => {
    socket[MARK] = mark;
  };
  // First of all listeners, since a connection may be injected with its first request already read.
  server.prependListener("connection", onConnection);
  // Over TLS a request's socket is the one of this event.
  server.prependListener("secureConnection", onConnection);
  applyToStreams(server, policy);
  answerClientErrors(server, policy);
}

/** Replaces writeHead in the whole process; it does something only on connections that carry a mark. */
function patchOnce(): void {
  const prototype: { writeHead: WriteHead; writeHeader?: WriteHead; [PATCHED]?: true } = http.ServerResponse
    .prototype as never;
  if (prototype[PATCHED]) return;
  prototype[PATCHED] = true;
  prototype.writeHead = patched(prototype.writeHead);
  // An old alias of Node's, not documented, that holds the same function.
  if (typeof prototype.writeHeader === "function") prototype.writeHeader = patched(prototype.writeHeader);
}

function patched(original: WriteHead): WriteHead {
  return function writeHead(status, reason, headers) {
    const mark = markOf(this);
    // Informational answers carry what the handler gave them, and a head already sent is for Node to complain about.
    if (mark === undefined || this.headersSent || status < 200) return original.call(this, status, reason, headers);
    if (typeof reason === "string") return original.call(this, status, reason, headFor(this, mark, headers));
    return original.call(this, status, headFor(this, mark, headers ?? (reason as GivenHead)));
  };
}

function markOf(res: ServerResponse): Mark | undefined {
  // Not `res.socket`: a pipelined response has none until its turn. A response made by hand may have no request.
  const req = res.req as { socket?: MarkedSocket | null } | undefined;
  return req?.socket?.[MARK];
}

/** The head to give to Node's writeHead: the handler's with the policy applied. */
function headFor(res: ServerResponse, { policy, server }: Mark, given: GivenHead): GivenHead {
  const progressive = res.getHeaderNames().length > 0;
  const merged = progressive || policy.addsConnection ? undefined : mergedHead(policy, given);
  const head = merged ?? addAndRemove(res, policy, { given, progressive });
  if (policy.removesOfNode.size === 0) return head;
  const { keepAliveTimeout } = server;
  const clashFree = merged !== undefined;
  return withoutNodeHeaders(res, policy, { given: head, progressive, clashFree, keepAliveTimeout });
}

/**
 * The fast path: the handler's headers and the policy's in one raw array, the cheapest form on Node 20-26 (docs/decisions/0003).
 * Undefined when a name of the handler's is one of the policy's.
 */
function mergedHead(policy: HeaderPolicy, given: GivenHead): FlatHead | undefined {
  if (given === undefined || given === null) return policy.flat as FlatHead;
  if (Array.isArray(given)) return mergedArray(policy, given);
  const head: FlatHead = [];
  for (const name of Object.keys(given)) {
    if (clashes(policy, name)) return undefined;
    head.push(name, given[name] as OutgoingHttpHeader);
  }
  return append(head, policy.flat);
}

function mergedArray(policy: HeaderPolicy, given: FlatHead | [string, OutgoingHttpHeader][]): FlatHead | undefined {
  const head = given.flat(Array.isArray(given[0]) ? 1 : 0) as FlatHead;
  for (let index = 0; index < head.length; index += 2) {
    const name = head[index];
    if (typeof name === "string" && clashes(policy, name)) return undefined;
  }
  return append(head, policy.flat);
}

function append(head: FlatHead, more: HeaderPolicy["flat"]): FlatHead {
  for (const item of more) head.push(item);
  return head;
}
