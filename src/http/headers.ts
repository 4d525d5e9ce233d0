/**
 * What the user wants added to and removed from every response, checked once and compiled to what the hot path needs.
 * Pure; compiled in the supervisor (to refuse a wrong header before the first instance) and used in the instance by write-head.ts.
 */
import { ChoirError, quote } from "../errors.ts";
import { http } from "./node-http.ts";

/** Headers put on every response unless the handler set that header itself. */
export type ResponseHeaders = Readonly<Record<string, string | readonly string[]>>;

/** Headers taken off every response: a value or several take only these off, `true` and the array form whatever is there. */
export type RemovedResponseHeaders = Readonly<Record<string, string | readonly string[] | true>> | readonly string[];

export interface HeaderPolicyOptions {
  readonly responseHeaders?: ResponseHeaders | undefined;
  readonly removeResponseHeaders?: RemovedResponseHeaders | undefined;
  /** Added as `responseHeaders` are, which win over them. */
  readonly defaults?: ResponseHeaders | undefined;
}

/** Which values of a header are removed: all of them, or these. */
export type RemovedValues = true | ReadonlySet<string>;

export interface AddedHeader {
  /** The name as the user wrote it. */
  readonly name: string;
  /** The name in lower case. */
  readonly key: string;
  readonly value: string | readonly string[];
}

/** The compiled policy: what is added has what is removed taken off already. */
export interface HeaderPolicy {
  /** Nothing to do: the server is left as it is. */
  readonly isEmpty: boolean;
  readonly adds: readonly AddedHeader[];
  /** By name in lower case. */
  readonly removes: ReadonlyMap<string, RemovedValues>;
  /** Those of `removes` that Node writes by itself when nobody set them. */
  readonly removesOfNode: ReadonlyMap<string, RemovedValues>;
  /** `adds` as `writeHead` takes them: name, value, name, value. Shared by all responses: never changed. */
  readonly flat: readonly (string | string[])[];
  /** `Connection` is among `adds`: it must not be put on a response that ends its connection. */
  readonly addsConnection: boolean;
  /** Every name in lower case that clashes with the policy when a handler sets it. */
  readonly names: ReadonlySet<string>;
  /** One bit for each length (modulo 32) that occurs in `names`: most of a handler's names need no look-up then. */
  readonly lengths: number;
}

/** What the default app carries, as the Dart original's did. */
export const DEFAULT_APP_HEADERS: ResponseHeaders = {
  "X-Frame-Options": "SAMEORIGIN",
  "X-Content-Type-Options": "nosniff",
};

/** Headers that Node writes by itself; `res.removeHeader` keeps it from that for all but Keep-Alive. */
const WRITTEN_BY_NODE = new Set(["connection", "content-length", "date", "keep-alive", "transfer-encoding"]);

/** Headers that say where one message ends: the same one on every response would break each of them. */
const FRAMING = new Set(["content-length", "transfer-encoding"]);

/** Checks and compiles a header policy; throws ERR_CHOIR_HEADER naming the option, the header and the value. */
export function compileHeaderPolicy(options: HeaderPolicyOptions = {}): HeaderPolicy {
  const removes = removedHeaders(options.removeResponseHeaders);
  const wanted = new Map([
    ...addedHeaders("defaults", options.defaults),
    ...addedHeaders("responseHeaders", options.responseHeaders),
  ]);
  const adds = [...wanted.values()].flatMap((header) => withoutRemoved(header, removes.get(header.key)));
  const names = new Set([...wanted.keys(), ...removes.keys()]);
  // Keep-Alive is kept away by writing Connection ourselves (write-head.ts), so a handler's own Connection matters too.
  if (removes.has("keep-alive")) names.add("connection");
  return {
    isEmpty: adds.length === 0 && removes.size === 0,
    adds,
    removes,
    removesOfNode: new Map([...removes].filter(([key]) => WRITTEN_BY_NODE.has(key))),
    flat: adds.flatMap(({ name, value }) => [name, typeof value === "string" ? value : [...value]]),
    addsConnection: adds.some(({ key }) => key === "connection"),
    names,
    lengths: [...names].reduce((bits, name) => bits | (1 << name.length), 0),
  };
}

/** Whether a name of any case is one that the policy adds or removes. */
export function clashes(policy: HeaderPolicy, name: string): boolean {
  return (policy.lengths & (1 << name.length)) !== 0 && policy.names.has(name.toLowerCase());
}

/** The values that stay when some are removed; the same array when all stay. */
export function keptValues(values: readonly string[], removed: RemovedValues | undefined): readonly string[] {
  if (removed === undefined) return values;
  if (removed === true) return [];
  return values.some((value) => removed.has(value)) ? values.filter((value) => !removed.has(value)) : values;
}

function addedHeaders(option: string, headers: ResponseHeaders | undefined): Map<string, AddedHeader> {
  const added = new Map<string, AddedHeader>();
  if (headers === undefined) return added;
  if (!isRecord(headers)) throw notAnObject(option, headers);
  for (const [name, given] of Object.entries(headers)) {
    const key = checkName(option, name);
    if (FRAMING.has(key)) {
      throw new ChoirError(
        "ERR_CHOIR_HEADER",
        `${option}: ${quote(name)} says where one response ends and cannot be the same on all of them, remove it`,
      );
    }
    if (added.has(key)) {
      throw new ChoirError("ERR_CHOIR_HEADER", `${option}: ${quote(name)} is there twice, names are case-insensitive`);
    }
    added.set(key, { name, key, value: checkValues(option, name, given) });
  }
  return added;
}

function removedHeaders(removed: RemovedResponseHeaders | undefined): Map<string, RemovedValues> {
  const option = "removeResponseHeaders";
  const removes = new Map<string, RemovedValues>();
  if (removed === undefined) return removes;
  if (Array.isArray(removed)) {
    for (const name of removed as readonly unknown[]) removes.set(checkName(option, name), true);
    return removes;
  }
  if (!isRecord(removed)) throw notAnObject(option, removed);
  for (const [name, given] of Object.entries(removed)) {
    const key = checkName(option, name);
    const before = removes.get(key);
    if (given === true || before === true) removes.set(key, true);
    else removes.set(key, new Set([...(before ?? []), ...[checkValues(option, name, given)].flat()]));
  }
  return removes;
}

function withoutRemoved(header: AddedHeader, removed: RemovedValues | undefined): AddedHeader[] {
  const values = keptValues([header.value].flat(), removed);
  if (values.length === 0) return [];
  return [{ ...header, value: values.length === 1 ? (values[0] ?? "") : values }];
}

function checkName(option: string, name: unknown): string {
  try {
    if (typeof name === "string") {
      http.validateHeaderName(name);
      return name.toLowerCase();
    }
  } catch {
    // Node's message does not name the option: ours below does.
  }
  throw new ChoirError("ERR_CHOIR_HEADER", `${option}: ${quote(name)} is no header name that HTTP allows`);
}

function checkValues(option: string, name: string, given: unknown): string | string[] {
  const values: readonly unknown[] = Array.isArray(given) ? given : [given];
  const checked = values.map((value) => checkValue(option, name, value));
  return Array.isArray(given) ? checked : (checked[0] ?? "");
}

function checkValue(option: string, name: string, value: unknown): string {
  if (typeof value !== "string") {
    throw new ChoirError(
      "ERR_CHOIR_HEADER",
      `${option}: the value of ${quote(name)} must be a string or an array of strings, got ${quote(value)}`,
    );
  }
  try {
    http.validateHeaderValue(name, value);
  } catch (error) {
    throw new ChoirError(
      "ERR_CHOIR_HEADER",
      `${option}: the value of ${quote(name)} holds a character that HTTP does not allow, got ${quote(value)}`,
      { cause: error },
    );
  }
  return value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function notAnObject(option: string, got: unknown): ChoirError {
  return new ChoirError(
    "ERR_CHOIR_HEADER",
    `${option} must be an object of names and values, got ${quote(got)}; write { "X-Name": "value" }`,
  );
}
