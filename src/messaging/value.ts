/**
 * What can be published and how it travels: JSON, where JSON keeps it whole, and `Uint8Array`. Used in the instance; the broker
 * never looks into a value.
 *
 * Sent: null, booleans, finite numbers, strings, arrays, plain objects, instances of classes (their own properties), and what
 * has `toJSON`. A property that is undefined is left out, as JSON does. Refused is what JSON would lose or change without a word:
 * undefined elsewhere, functions, symbols, bigints, NaN, infinities, invalid dates, Map, Set, Error, RegExp, bytes inside an object.
 */
import { types } from "node:util";
import { ChoirError, describeThrown } from "../errors.ts";
import { FLAG, MAX_VALUE_BYTES, MESSAGE_FIELD_BYTES, type FrameReader } from "./frames.ts";

/** Beyond this depth the quick check gives way to the careful one, which looks for cycles. */
const QUICK_DEPTH = 32;
const MAX_DEPTH = 1000;

/** A value on its way: JSON text, or bytes. */
export type Encoded = string | Uint8Array;

/**
 * Encodes a value; bytes are not copied.
 * @throws ChoirError ERR_CHOIR_VALUE that names the path inside the value which cannot be sent.
 */
export function encodeValue(value: unknown): Encoded {
  if (typeof value === "object" && value !== null && types.isUint8Array(value)) {
    if (value.byteLength > MAX_VALUE_BYTES) throw tooLong(value.byteLength);
    return value;
  }
  let text: string | undefined;
  try {
    if (!isSurelyJson(value, 0)) refuseWhatJsonLoses(value);
    text = JSON.stringify(value);
  } catch (error) {
    if (error instanceof ChoirError) throw error;
    throw new ChoirError("ERR_CHOIR_VALUE", `Value cannot be published: ${describeThrown(error)}`, { cause: error });
  }
  if (text === undefined) throw new ChoirError("ERR_CHOIR_VALUE", "Value cannot be published: value has no JSON form");
  return text;
}

/**
 * Decodes the payload of the message that the reader stands on. Bytes become a `Uint8Array` of their own.
 * @throws ChoirError ERR_CHOIR_VALUE when the text is no JSON, which only a client of another make can cause.
 */
export function decodeValue({ buffer, body, end }: FrameReader): unknown {
  const start = body + MESSAGE_FIELD_BYTES + (buffer[body + 1] ?? 0);
  return decodePayload(buffer, { flags: buffer[body] ?? 0, start, end });
}

/**
 * Decodes what lies from `start` to `end` as its flags say.
 * @throws ChoirError ERR_CHOIR_VALUE as `decodeValue`.
 */
export function decodePayload(
  buffer: Buffer,
  { flags, start, end }: { flags: number; start: number; end: number },
): unknown {
  if ((flags & FLAG.none) !== 0) return undefined;
  if ((flags & FLAG.bytes) !== 0) return new Uint8Array(buffer.subarray(start, end));
  try {
    return JSON.parse(buffer.toString("utf8", start, end));
  } catch (error) {
    throw new ChoirError("ERR_CHOIR_VALUE", "Message received is no JSON", { cause: error });
  }
}

/** Makes the error of a value over the limit. */
export function tooLong(bytes: number): ChoirError {
  return new ChoirError(
    "ERR_CHOIR_VALUE",
    `Value is ${bytes} bytes when encoded, at most ${MAX_VALUE_BYTES} can be published`,
    { hint: "Publish a reference to it, such as a key or a path, or publish it in parts" },
  );
}

/** Runs for every value published, so it only says yes to the plainest; false means to look more carefully. */
function isSurelyJson(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value);
    case "object":
      return value === null || isSurelyJsonObject(value, depth);
    default:
      return false;
  }
}

function isSurelyJsonObject(value: object, depth: number): boolean {
  if (depth > QUICK_DEPTH) return false;
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) {
      if (!isSurelyJson(value[at], depth + 1)) return false;
    }
    return true;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  // for-in walks V8's cached list of names: twice as quick as Object.keys. What it inherits can only make the answer stricter.
  const properties = value as Readonly<Record<string, unknown>>;
  for (const name in properties) {
    const property = properties[name];
    if (typeof property !== "string" && !isSurelyJson(property, depth + 1)) return false;
  }
  return true;
}

/** What cannot be sent, and where: the path is put together on the way out, so that a good value costs no strings. */
interface Fault {
  path: string;
  readonly what: string;
}

function refuseWhatJsonLoses(value: unknown): void {
  const fault = findFault(value, []);
  if (fault === undefined) return;
  throw new ChoirError("ERR_CHOIR_VALUE", `Value cannot be published: value${fault.path} ${fault.what}`);
}

function findFault(value: unknown, around: object[]): Fault | undefined {
  switch (typeof value) {
    case "string":
    case "boolean":
      return undefined;
    case "number":
      return Number.isFinite(value) ? undefined : fault(`is ${value}, which JSON cannot hold`);
    case "undefined":
      return fault("is undefined");
    case "object":
      return value === null ? undefined : findFaultInObject(value, around);
    default:
      return fault(`is a ${typeof value}`);
  }
}

function findFaultInObject(value: object, around: object[]): Fault | undefined {
  if (around.includes(value)) return fault("refers back to an object that it is part of");
  if (around.length >= MAX_DEPTH) return fault(`is nested more than ${MAX_DEPTH} levels deep`);
  const exotic = findExotic(value);
  if (exotic !== undefined) return fault(exotic);
  around.push(value);
  const found = findFaultBelow(value, around);
  around.pop();
  return found;
}

function findFaultBelow(value: object, around: object[]): Fault | undefined {
  if ("toJSON" in value && typeof value.toJSON === "function") return findFault(value.toJSON(""), around);
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) {
      const found = findFault(value[at], around);
      if (found !== undefined) return below(found, `[${at}]`);
    }
    return undefined;
  }
  for (const [name, property] of Object.entries(value)) {
    const found = property === undefined ? undefined : findFault(property, around);
    if (found !== undefined)
      return below(found, /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`);
  }
  return undefined;
}

/** Says of an object that JSON would turn into something else, what it is. */
function findExotic(value: object): string | undefined {
  if (Array.isArray(value)) return undefined;
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) {
    const name = value.constructor.name;
    return `is ${withArticle(name)}; bytes are sent only as a Uint8Array that is the whole value`;
  }
  if (types.isDate(value)) return Number.isNaN(value.getTime()) ? "is an invalid Date" : undefined;
  if ("toJSON" in value && typeof value.toJSON === "function") return undefined;
  if (types.isBoxedPrimitive(value)) return undefined;
  // Map, Set, Promise and most of their kind have a tag of their own, and JSON would make {} of them.
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  return tag === "Object" ? undefined : `is ${withArticle(tag)}, which JSON cannot hold`;
}

function withArticle(name: string): string {
  return /^[AEIO]/.test(name) ? `an ${name}` : `a ${name}`;
}

function fault(what: string): Fault {
  return { path: "", what };
}

function below(found: Fault, step: string): Fault {
  found.path = step + found.path;
  return found;
}
