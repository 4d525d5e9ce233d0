/**
 * The slow path of a header policy: the head of one response where handler and policy speak of the same header, where headers were
 * set one by one, or where one of those that Node writes by itself is to go. Runs in the instance, called by write-head.ts.
 */
import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { keptValues, type HeaderPolicy, type RemovedValues } from "./headers.ts";

/** Name, value, name, value: a value may be an array. */
export type FlatHead = OutgoingHttpHeader[];

/** All that `writeHead` takes as headers. */
export type GivenHead = OutgoingHttpHeaders | FlatHead | [string, OutgoingHttpHeader][] | null | undefined;

interface Head {
  /** What was given to `writeHead`. */
  readonly given: GivenHead;
  /** Whether headers were set on the response before: Node merges both then, and `given` wins. */
  readonly progressive: boolean;
}

/** Adds what the handler did not set, then removes; gives what `writeHead` is to be called with. */
export function addAndRemove(res: ServerResponse, policy: HeaderPolicy, { given, progressive }: Head): GivenHead {
  const head = flattened(given);
  for (const { name, key, value } of policy.adds) {
    if (res.hasHeader(name) || names(head, key)) continue;
    // It would keep open a connection that Node, or the drain, is about to end.
    if (key === "connection" && !res.shouldKeepAlive) continue;
    if (progressive) res.setHeader(name, value);
    else head.push(name, typeof value === "string" ? value : [...value]);
  }
  let clash = false;
  for (const [key, removed] of policy.removes) {
    if (!names(head, key)) {
      removeFromSet(res, key, removed);
      continue;
    }
    clash = true;
    // What was set before is overruled by what is given, also when that is then removed.
    res.removeHeader(key);
  }
  if (clash) return removeFromGiven(res, policy, head);
  return progressive ? given : head;
}

export interface NodeHead extends Head {
  /** No name of the policy's is set by the handler. */
  readonly clashFree: boolean;
  /** The server's, in milliseconds: Keep-Alive announces it. */
  readonly keepAliveTimeout: number;
}

/** Keeps Node from writing by itself what the policy removes; to be called after the policy was applied to the handler's own. */
export function withoutNodeHeaders(res: ServerResponse, policy: HeaderPolicy, head: NodeHead): GivenHead {
  // Node writes Keep-Alive only with a Connection of its own that stays open.
  let keepAliveIsNodes = staysOpen(res) && !isSet(res, head, "connection");
  let dropKeepAlive = false;
  for (const [key, removed] of policy.removesOfNode) {
    if (isSet(res, head, key)) continue;
    if (removed !== true && !removed.has(valueOfNode(res, head, key))) continue;
    if (key === "keep-alive") dropKeepAlive = true;
    else res.removeHeader(key);
    if (key === "connection") keepAliveIsNodes = false;
  }
  return dropKeepAlive && keepAliveIsNodes ? withOwnConnection(res, head) : head.given;
}

function isSet(res: ServerResponse, { clashFree, given }: NodeHead, key: string): boolean {
  return !clashFree && (res.hasHeader(key) || names(flattened(given), key));
}

/** What Node would write; nothing where that cannot be known before. */
function valueOfNode(res: ServerResponse, { keepAliveTimeout }: NodeHead, key: string): string {
  if (key === "connection") return staysOpen(res) ? "keep-alive" : "close";
  if (key === "keep-alive") return `timeout=${Math.floor(keepAliveTimeout / 1000)}`;
  return key === "transfer-encoding" ? "chunked" : "";
}

/** Nothing public keeps Node from writing Keep-Alive alone, but it leaves that to whoever writes Connection. */
function withOwnConnection(res: ServerResponse, { given, progressive }: Head): GivenHead {
  if (res.req.httpVersionMajor === 1 && res.req.httpVersionMinor === 0) {
    // Whether an HTTP/1.0 connection can stay open depends on the length, which is not known here: ending it is always right.
    res.shouldKeepAlive = false;
    return given;
  }
  if (!progressive) return [...flattened(given), "Connection", "keep-alive"];
  res.setHeader("Connection", "keep-alive");
  return given;
}

/** Whether Node will say that the connection stays open. */
function staysOpen(res: ServerResponse): boolean {
  // Set by Node on the last answer that `server.maxRequestsPerSocket` allows.
  const { maxRequestsOnConnectionReached } = res as { maxRequestsOnConnectionReached?: boolean };
  return res.shouldKeepAlive && maxRequestsOnConnectionReached !== true;
}

function removeFromSet(res: ServerResponse, key: string, removed: RemovedValues): void {
  const value = res.getHeader(key);
  if (value === undefined) return;
  const kept = removeValues(res, { key, value, removed });
  if (kept === undefined) res.removeHeader(key);
  else if (kept !== value) res.setHeader(key, kept);
}

function removeFromGiven(res: ServerResponse, policy: HeaderPolicy, head: FlatHead): FlatHead {
  const rest: FlatHead = [];
  for (let index = 0; index < head.length; index += 2) {
    const name = String(head[index]);
    const value = head[index + 1] ?? "";
    const key = name.toLowerCase();
    const kept = removeValues(res, { key, value, removed: policy.removes.get(key) });
    if (kept !== undefined) rest.push(name, kept);
  }
  return rest;
}

interface Removal {
  readonly key: string;
  readonly value: OutgoingHttpHeader;
  readonly removed: RemovedValues | undefined;
}

/** The value without what is removed: the same one when nothing is, undefined when nothing is left. */
function removeValues(res: ServerResponse, { key, value, removed }: Removal): OutgoingHttpHeader | undefined {
  const values = [value].flat().map(String);
  const kept = keptValues(values, removed);
  if (kept === values) return value;
  // Saying `Connection: close` is removed, ending the connection is not.
  if (key === "connection" && values.some((text) => /\bclose\b/i.test(text))) res.shouldKeepAlive = false;
  return kept.length > 1 ? [...kept] : kept[0];
}

function flattened(given: GivenHead): FlatHead {
  if (given === undefined || given === null) return [];
  if (!Array.isArray(given)) return Object.entries(given).flat(1) as FlatHead;
  return given.flat(Array.isArray(given[0]) ? 1 : 0) as FlatHead;
}

/** Whether a head has the name, given in lower case. */
function names(head: FlatHead, key: string): boolean {
  for (let index = 0; index < head.length; index += 2) {
    const name = String(head[index]);
    if (name.length === key.length && name.toLowerCase() === key) return true;
  }
  return false;
}
