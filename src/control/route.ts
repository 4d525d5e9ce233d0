/** What a route of the control socket is, and how its requests are checked. Used in the supervisor; pure. */
import { ChoirError, quote } from "../errors.ts";
import type { Controllable } from "./controllable.ts";

/** A request that was read and found right: all that is left is to carry it out; see `Answer` for what it may give. */
export type Call = (target: Controllable, by: string) => unknown;

/** What a route is told of a request besides its body. */
export interface RequestFacts {
  readonly query: URLSearchParams;
  readonly accept: string | undefined;
  /** Whether events are to come one JSON object a line. */
  readonly lines: boolean;
}

export interface Route {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** One sentence for docs/commands.md. */
  readonly about: string;
  /** What a `choir` command is called that asks for it. */
  readonly command: string;
  /** Status of an answer that is one JSON document. */
  readonly status: 200 | 202;
  /** A stream of its events goes on until the supervisor has ended. */
  readonly lasting: boolean;
  /** What the query may have, and the body; each with a sentence. For openapi.json. */
  readonly takes?: readonly Parameter[];
  /** What the answer is; default: JSON. */
  readonly gives?: readonly string[];
  /** Most bytes of the request's body. Default 16 KB. */
  readonly mostBytes?: number;
  /** Set where the answer is what is published, line by line, until somebody ends it. */
  listens?(body: Readonly<Record<string, unknown>>): string;
  /** Reads the request's body; throws ERR_CHOIR_REQUEST when it is not what the route takes. */
  read(body: Readonly<Record<string, unknown>>, facts: RequestFacts): Call;
}

/** A field of a route's body, or of its query where it takes no body. */
export interface Parameter {
  readonly name: string;
  readonly about: string;
  /** As JSON Schema has it. */
  readonly schema: Readonly<Record<string, unknown>>;
  readonly required?: true;
}

/** Makes the error about a request that is not what a route takes. */
export function requestError(message: string): ChoirError {
  return new ChoirError("ERR_CHOIR_REQUEST", message);
}

/** Checks that nothing is left of a body. */
export function nothingIn(body: Readonly<Record<string, unknown>>, call: Call): Call {
  const [unknown] = Object.keys(body);
  if (unknown !== undefined) throw requestError(`Unknown field ${quote(unknown)} in the request`);
  return call;
}

/** Reads a query: every name must be known, and be there once. */
export function queryOf(query: URLSearchParams, names: readonly string[]): Readonly<Record<string, string>> {
  for (const name of query.keys()) {
    if (!names.includes(name))
      throw requestError(`Unknown parameter ${quote(name)} in the query; there are ${names.join(", ")}`);
    if (query.getAll(name).length > 1) throw requestError(`${quote(name)} is in the query more than once`);
  }
  return Object.fromEntries(query);
}

/** The number that digits in a query stand for; what are none stays, for the message. */
export function numeric(text: string): number | string {
  return /^\d{1,9}$/.test(text) ? Number(text) : text;
}

/** Checks a whole number. */
export function wholeNumber(value: unknown, name: string, [least, most]: readonly [number, number]): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
  throw requestError(`"${name}" must be a whole number from ${least} to ${most}, got ${quote(value)}`);
}
