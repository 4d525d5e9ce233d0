/**
 * The other side of the control socket: asks what src/control/server.ts answers. Used by the `choir` command, and by a supervisor
 * that finds somebody at the place of its own socket.
 */
import type { IncomingMessage } from "node:http";
import { ChoirError, describeThrown, quote } from "../errors.ts";
import type { ChoirEvent } from "../events.ts";
import { http } from "../http/node-http.ts";
import type { Snapshot } from "../supervisor/snapshot.ts";

/** What is found at a control socket's path. */
export type StatusAnswer =
  | { readonly kind: "alive"; readonly snapshot: Snapshot }
  /** Nothing is there. */
  | { readonly kind: "gone" }
  /** A file is there whose process is not. */
  | { readonly kind: "stale" }
  /** This user may not connect. */
  | { readonly kind: "denied" }
  /** Somebody listens, and does not answer as Choir would in time. */
  | { readonly kind: "silent" };

export interface CallOptions {
  readonly method: "GET" | "POST";
  /** One of ROUTES. */
  readonly path: string;
  readonly body?: Readonly<Record<string, unknown>>;
  /** Called for every event until the answer; asks for an answer in lines. */
  readonly onEvent?: (event: ChoirEvent) => void;
  /** Milliseconds until the answer must have begun. */
  readonly timeout: number;
}

export interface FollowOptions extends Pick<CallOptions, "path" | "timeout"> {
  /** Undefined: it is asked for by GET. */
  readonly body?: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal;
  readonly onLine: (line: string) => void;
}

const STATUS_TIMEOUT_MS = 5000;

/** Asks who is at a control socket's path. */
export async function askForStatus(file: string, timeout = STATUS_TIMEOUT_MS): Promise<StatusAnswer> {
  try {
    const snapshot = await callControl(file, { method: "GET", path: "/v1/status", timeout });
    return isSnapshot(snapshot) ? { kind: "alive", snapshot } : { kind: "silent" };
  } catch (error) {
    const cause = error instanceof ChoirError ? error.cause : error;
    const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? "";
    return { kind: KINDS[code] ?? "silent" };
  }
}

const KINDS: Readonly<Record<string, "gone" | "stale" | "denied">> = {
  ENOENT: "gone",
  ENOTDIR: "gone",
  ECONNREFUSED: "stale",
  EACCES: "denied",
  EPERM: "denied",
};

/**
 * Calls a route and resolves with its result, which is undefined when the answer in lines ended without one. Throws the fault that
 * the supervisor reports, and ERR_CHOIR_UNREACHABLE when it does not answer.
 */
export async function callControl(file: string, options: CallOptions): Promise<unknown> {
  const response = await send(file, options);
  try {
    const { result, fault } = isLines(response) ? await readLines(response, options) : await readWhole(response);
    if (fault !== undefined) throw faultError(fault);
    return result;
  } catch (error) {
    if (error instanceof ChoirError) throw error;
    throw unreachable(file, error);
  }
}

/**
 * Calls a route whose answer is a line now and then, and resolves when it ends or the signal aborts. Throws as `callControl`.
 */
export async function followControl(file: string, options: FollowOptions): Promise<void> {
  const { path, body, timeout, signal, onLine } = options;
  const method = body === undefined ? "GET" : "POST";
  const response = await send(file, { method, path, ...(body && { body }), timeout, onEvent: () => {} });
  signal.addEventListener("abort", () => response.destroy());
  if (signal.aborted) response.destroy();
  try {
    if (isLines(response)) await eachLine(response, onLine);
    else throw faultError((await readWhole(response)).fault);
  } catch (error) {
    if (signal.aborted) return;
    throw error instanceof ChoirError ? error : unreachable(file, error);
  }
}

/** Calls a route whose answer is bytes; they are read by whoever calls, and an answer that is cut off fails there. */
export async function downloadControl(file: string, options: CallOptions): Promise<IncomingMessage> {
  const response = await send(file, options);
  if (response.statusCode === 200) return response;
  throw faultError((await readWhole(response)).fault);
}

/** Makes the error about a supervisor that does not answer. */
function unreachable(file: string, cause: unknown): ChoirError {
  return new ChoirError("ERR_CHOIR_UNREACHABLE", `No answer at ${quote(file)}: ${describeThrown(cause)}`, {
    cause,
    hint: "The app may just have ended: its log says why",
  });
}

function send(file: string, { method, path, body, onEvent, timeout }: CallOptions): Promise<IncomingMessage> {
  const text = body === undefined ? "" : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const request = http.request({
      socketPath: file,
      method,
      path,
      agent: false,
      headers: {
        "User-Agent": "choir/1",
        Accept: onEvent === undefined ? "application/json" : "application/x-ndjson",
        "Content-Length": Buffer.byteLength(text),
      },
    });
    const late = setTimeout(() => request.destroy(new Error(`it did not answer within ${timeout} ms`)), timeout);
    request.on("response", (response) => {
      clearTimeout(late);
      resolve(response);
    });
    request.on("error", (error) => {
      clearTimeout(late);
      reject(unreachable(file, error));
    });
    request.end(text);
  });
}

interface Read {
  readonly result?: unknown;
  readonly fault?: unknown;
}

function isLines({ headers }: IncomingMessage): boolean {
  return headers["content-type"] === "application/x-ndjson";
}

async function readWhole(response: IncomingMessage): Promise<Read> {
  let text = "";
  for await (const chunk of response.setEncoding("utf8") as AsyncIterable<string>) text += chunk;
  const value: unknown = JSON.parse(text);
  return response.statusCode !== undefined && response.statusCode < 300
    ? { result: value }
    : { fault: fieldOf(value, "error") };
}

async function readLines(response: IncomingMessage, { onEvent }: CallOptions): Promise<Read> {
  let read: Read = {};
  await eachLine(response, (line) => {
    const value: unknown = JSON.parse(line);
    if (isEvent(value)) onEvent?.(value);
    else read = { result: fieldOf(value, "result"), fault: fieldOf(value, "error") };
  });
  return read;
}

async function eachLine(response: IncomingMessage, take: (line: string) => void): Promise<void> {
  let unfinished = "";
  for await (const chunk of response.setEncoding("utf8") as AsyncIterable<string>) {
    const lines = (unfinished + chunk).split("\n");
    unfinished = lines.pop() ?? "";
    for (const line of lines) take(line);
  }
}

/** An error of the supervisor's, with its own words; of a newer one, perhaps with a code that is not known here. */
function faultError(fault: unknown): ChoirError {
  const message = fieldOf(fault, "message");
  return new ChoirError(
    "ERR_CHOIR_REQUEST",
    typeof message === "string" ? message : `The app refused: ${quote(fault)}`,
  );
}

function fieldOf(value: unknown, field: string): unknown {
  return typeof value === "object" && value !== null
    ? new Map<string, unknown>(Object.entries(value)).get(field)
    : undefined;
}

/** An event of another version of Choir may have other fields; its name is what tells it from the result. */
function isEvent(value: unknown): value is ChoirEvent {
  return typeof fieldOf(value, "event") === "string";
}

/** Enough to tell a supervisor from any other program that listens on a socket; fields of another version are its own. */
function isSnapshot(value: unknown): value is Snapshot {
  return (
    typeof fieldOf(value, "name") === "string" &&
    typeof fieldOf(value, "pid") === "number" &&
    Array.isArray(fieldOf(value, "slots"))
  );
}
