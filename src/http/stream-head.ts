/**
 * Applies a header policy to HTTP/2: to streams that an app answers directly, and so to the compatibility API, which answers through
 * them. Runs in the instance; write-head.ts does the same for HTTP/1.
 *
 * Node exports no class of its server streams: the first one shows their prototype, which is patched then, once in the process.
 */
import type { OutgoingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Server } from "node:net";
import { clashes, type HeaderPolicy, keptValues } from "./headers.ts";

/** A policy as streams need it. */
interface StreamPolicy {
  readonly policy: HeaderPolicy;
  /** Names in lower case: without those that HTTP/2 forbids, since they are about the connection. */
  readonly adds: readonly (readonly [key: string, value: string | readonly string[]])[];
  readonly removesDate: boolean;
}

const MARK = Symbol("choir.headers");
const PATCHED = Symbol("choir.patched");

type MarkedSession = ServerHttp2Session & { [MARK]?: StreamPolicy };

/** An object of names and values; from Node 24 on also a flat array of them. */
type Given = OutgoingHttpHeaders | readonly unknown[] | undefined;
type StatCheck = (this: unknown, stat: unknown, headers: OutgoingHttpHeaders, options: unknown) => unknown;

interface AnswerOptions {
  readonly sendDate?: boolean;
  readonly statCheck?: StatCheck;
}

type Respond = (this: ServerHttp2Stream, headers?: Given, options?: AnswerOptions) => void;
type RespondWith = (this: ServerHttp2Stream, file: unknown, headers?: Given, options?: AnswerOptions) => void;

interface StreamPrototype {
  respond: Respond;
  respondWithFile: RespondWith;
  respondWithFD: RespondWith;
  [PATCHED]?: true;
}

/** RFC 9113 section 8.2.2: a message with one of these is malformed. */
const OF_CONNECTION = new Set([
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);

/** Makes every answer on the server's HTTP/2 sessions follow the policy; a server without HTTP/2 never has one. */
export function applyToStreams(server: Server, policy: HeaderPolicy): void {
  const mark: StreamPolicy = {
    policy,
    adds: policy.adds.filter(({ key }) => !OF_CONNECTION.has(key)).map(({ key, value }) => [key, value] as const),
    removesDate: policy.removes.get("date") === true,
  };
  server.prependListener("session", (session: MarkedSession) => {
    session[MARK] = mark;
  });
  // Before the app's own listeners, the one of the compatibility API among them.
  server.prependListener("stream", patchOnce);
}

function patchOnce(stream: ServerHttp2Stream): void {
  const prototype = Object.getPrototypeOf(stream) as StreamPrototype;
  if (prototype[PATCHED]) return;
  prototype[PATCHED] = true;
  const { respond, respondWithFile, respondWithFD } = prototype;
  prototype.respond = function (headers, options) {
    const mark = markOf(this);
    if (mark === undefined) respond.call(this, headers, options);
    else respond.call(this, headFor(mark, headers), optionsFor(mark, options));
  };
  prototype.respondWithFile = withFile(respondWithFile);
  prototype.respondWithFD = withFile(respondWithFD);
}

function withFile(original: RespondWith): RespondWith {
  return function (file, headers, options) {
    const mark = markOf(this);
    const check = options?.statCheck;
    if (mark === undefined) original.call(this, file, headers, options);
    else if (check === undefined) original.call(this, file, headFor(mark, headers), optionsFor(mark, options));
    else original.call(this, file, headers, { ...optionsFor(mark, options), statCheck: checked(check, mark) });
  };
}

/** The app's `statCheck` may set headers: the policy comes after it. */
function checked(check: StatCheck, mark: StreamPolicy): StatCheck {
  return function (stat, headers, options) {
    const result = check.call(this, stat, headers, options);
    if (result !== false) applyToObject(mark, headers);
    return result;
  };
}

function markOf(stream: ServerHttp2Stream): StreamPolicy | undefined {
  return (stream.session as MarkedSession | undefined)?.[MARK];
}

/** Node writes Date by itself unless it is told not to. */
function optionsFor({ removesDate }: StreamPolicy, options: AnswerOptions | undefined): AnswerOptions | undefined {
  return removesDate ? { ...options, sendDate: false } : options;
}

function headFor(mark: StreamPolicy, given: Given): Given {
  if (isFlat(given)) return headForFlat(mark, given);
  // With its symbols: Node keeps there which headers are not to be compressed.
  const head: OutgoingHttpHeaders = { ...given };
  applyToObject(mark, head);
  return head;
}

function applyToObject({ policy, adds }: StreamPolicy, head: OutgoingHttpHeaders): void {
  let own: Set<string> | undefined;
  for (const name of Object.keys(head)) {
    const value = head[name];
    if (value === undefined || value === null || !clashes(policy, name)) continue;
    const key = name.toLowerCase();
    own = (own ?? new Set()).add(key);
    const values = [value].flat().map(String);
    const kept = keptValues(values, policy.removes.get(key));
    if (kept.length === 0) delete head[name];
    else if (kept !== values) head[name] = kept.length > 1 ? [...kept] : kept[0];
  }
  for (const [key, value] of adds) {
    if (own === undefined || !own.has(key)) head[key] = typeof value === "string" ? value : [...value];
  }
}

function headForFlat({ policy, adds }: StreamPolicy, given: readonly unknown[]): readonly unknown[] {
  const head: unknown[] = [];
  const own = new Set<string>();
  for (let index = 0; index < given.length; index += 2) {
    const name = String(given[index]);
    const key = name.toLowerCase();
    const value = String(given[index + 1]);
    if (clashes(policy, name)) own.add(key);
    if (keptValues([value], policy.removes.get(key)).length > 0) head.push(name, value);
  }
  for (const [key, value] of adds) {
    if (!own.has(key)) for (const one of [value].flat()) head.push(key, one);
  }
  return head;
}

function isFlat(given: Given): given is readonly unknown[] {
  return Array.isArray(given);
}
