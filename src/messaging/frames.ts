/**
 * The wire format of the pub/sub pipe, used in both processes: the broker (supervisor) and the client (instance) read frames
 * with `FrameReader`. Both are of one version, so the format has no version number.
 */
import { ChoirError } from "../errors.ts";
import { FRAME, HEAD_BYTES, KNOWN_TYPES, MAX_TOPIC_LENGTH, MAX_VALUE_BYTES } from "./frame-types.ts";

export * from "./frame-types.ts";

const LENGTH_BYTES = 4;
/** The fields before topic and value are 7 bytes at most. */
const MAX_LENGTH = 1 + 7 + MAX_TOPIC_LENGTH + MAX_VALUE_BYTES;
const FIRST_ALLOCATION = 4096;
const EMPTY = Buffer.alloc(0);

/** Makes the error of a frame that cannot be Choir's. */
export function frameError(what: string): ChoirError {
  return new ChoirError("ERR_CHOIR_FRAME", `Pub/sub pipe carried bytes that are no frame: ${what}`);
}

/** Reads the u32 at `at`; the caller has checked that it is there. */
function readUint32(buffer: Uint8Array, at: number): number {
  const high = ((buffer[at] ?? 0) << 24) >>> 0;
  return high + (((buffer[at + 1] ?? 0) << 16) | ((buffer[at + 2] ?? 0) << 8) | (buffer[at + 3] ?? 0));
}

/** Writes `value` as a u32 at `at` and returns where it ends. */
export function writeUint32(buffer: Uint8Array, value: number, at: number): number {
  buffer[at] = value >>> 24;
  buffer[at + 1] = value >>> 16;
  buffer[at + 2] = value >>> 8;
  buffer[at + 3] = value;
  return at + LENGTH_BYTES;
}

/** Length of the whole frame that begins at `at`, its head included. */
export function frameBytes(buffer: Uint8Array, at: number): number {
  return LENGTH_BYTES + readUint32(buffer, at);
}

/** Bytes of the frame that `writeControl` writes. */
export function controlBytes(topic = ""): number {
  return HEAD_BYTES + 4 + topic.length;
}

/** Writes a frame of id and topic at `at` and returns where it ends. */
export function writeControl(buffer: Buffer, at: number, { type, id, topic = "" }: Control): number {
  writeUint32(buffer, controlBytes(topic) - LENGTH_BYTES, at);
  buffer[at + LENGTH_BYTES] = type;
  const end = writeUint32(buffer, id, at + HEAD_BYTES);
  return end + buffer.write(topic, end, "latin1");
}

/** A frame of `writeControl`. */
export interface Control {
  readonly type: number;
  /** Tells the answer's request, u32. */
  readonly id: number;
  readonly topic?: string;
}

/** Encodes an answer of the broker that has only an id. */
export function encodeAnswer(type: number, id: number): Buffer {
  const buffer = Buffer.allocUnsafe(controlBytes());
  writeControl(buffer, 0, { type, id });
  return buffer;
}

/** Encodes a frame of an id and a text. */
export function encodeText(type: number, id: number, text: string): Buffer {
  const bytes = Buffer.byteLength(text);
  const buffer = Buffer.allocUnsafe(controlBytes() + bytes);
  const at = writeControl(buffer, 0, { type, id });
  writeUint32(buffer, buffer.length - LENGTH_BYTES, 0);
  buffer.write(text, at);
  return buffer;
}

/** Encodes the broker's refusal of a request. */
export function encodeRefusal(id: number, code: number, text: string): Buffer {
  return encodeText(FRAME.refused, id, String.fromCharCode(code) + text);
}

/**
 * Cuts a stream's chunks into frames. It is a cursor, since it stands in the path of every message: after `next()` has returned
 * true, `buffer` from `start` to `end` is one frame, its fields begin at `body`, and all of them hold until the next call.
 * A frame that lies in one chunk is a view of it; one that is spread over several is gathered in a buffer that grows with the
 * bytes that have really come, so that an announced length costs nothing.
 */
export class FrameReader {
  type = 0;
  buffer: Buffer = EMPTY;
  start = 0;
  body = 0;
  end = 0;
  #chunk: Buffer = EMPTY;
  #offset = 0;
  readonly #later: Buffer[] = [];
  #partial: Buffer = EMPTY;
  #gathered = 0;

  /** Takes the stream's next chunk. */
  push(chunk: Buffer): void {
    if (this.#offset < this.#chunk.length) {
      this.#later.push(chunk);
      return;
    }
    this.#chunk = chunk;
    this.#offset = 0;
  }

  /**
   * Moves to the next frame; false when more bytes are needed.
   * @throws ChoirError ERR_CHOIR_FRAME when the bytes cannot be a frame.
   */
  next(): boolean {
    do {
      if (this.#gathered > 0 ? this.#gather() : this.#view()) return true;
    } while (this.#advance());
    return false;
  }

  /** Whether bytes came that `next` has not looked at. */
  get pending(): boolean {
    return this.#offset < this.#chunk.length || this.#later.length > 0;
  }

  /** The u32 that a frame of a request or an answer begins with. */
  id(): number {
    if (this.end - this.body < 4) throw frameError(`type ${this.type} is too short for its id`);
    return readUint32(this.buffer, this.body);
  }

  /** The topic that ends a frame of a request. */
  topic(): string {
    const length = this.end - this.body - 4;
    if (length < 1 || length > MAX_TOPIC_LENGTH) throw frameError(`type ${this.type} has a topic of ${length} bytes`);
    return this.buffer.toString("latin1", this.body + 4, this.end);
  }

  #view(): boolean {
    const chunk = this.#chunk;
    const at = this.#offset;
    const available = chunk.length - at;
    if (available >= HEAD_BYTES) {
      const end = at + checkHead(chunk, at);
      if (end <= chunk.length) {
        this.#offset = end;
        return this.#found(chunk, at, end);
      }
    }
    if (available > 0) this.#take(chunk.length, 0);
    return false;
  }

  /** Goes on with a frame whose beginning came in an earlier chunk. */
  #gather(): boolean {
    if (this.#gathered < HEAD_BYTES) this.#take(this.#offset + HEAD_BYTES - this.#gathered, HEAD_BYTES);
    if (this.#gathered < HEAD_BYTES) return false;
    const total = checkHead(this.#partial, 0);
    this.#take(this.#offset + total - this.#gathered, total);
    if (this.#gathered < total) return false;
    const frame = this.#partial;
    this.#partial = EMPTY;
    this.#gathered = 0;
    return this.#found(frame, 0, total);
  }

  /** Moves what the chunk has up to `end` into the gathering buffer, which never grows beyond `most` bytes (0: not known yet). */
  #take(end: number, most: number): void {
    const bytes = Math.min(end, this.#chunk.length) - this.#offset;
    const needed = this.#gathered + bytes;
    if (needed > this.#partial.length) {
      const wanted = Math.max(needed, this.#partial.length * 2, FIRST_ALLOCATION);
      const grown = Buffer.allocUnsafeSlow(most > HEAD_BYTES ? Math.min(wanted, most) : wanted);
      this.#partial.copy(grown, 0, 0, this.#gathered);
      this.#partial = grown;
    }
    this.#chunk.copy(this.#partial, this.#gathered, this.#offset, this.#offset + bytes);
    this.#offset += bytes;
    this.#gathered = needed;
    if (needed >= LENGTH_BYTES) checkLength(readUint32(this.#partial, 0));
  }

  #found(buffer: Buffer, start: number, end: number): true {
    this.type = buffer[start + LENGTH_BYTES] ?? 0;
    this.buffer = buffer;
    this.start = start;
    this.body = start + HEAD_BYTES;
    this.end = end;
    return true;
  }

  #advance(): boolean {
    const chunk = this.#offset === this.#chunk.length ? this.#later.shift() : undefined;
    if (chunk === undefined) return false;
    this.#chunk = chunk;
    this.#offset = 0;
    return true;
  }
}

function checkLength(length: number): void {
  if (length === 0 || length > MAX_LENGTH) throw frameError(`a length of ${length} bytes`);
}

/** Checks length and type, and returns the length of the whole frame. */
function checkHead(buffer: Buffer, at: number): number {
  const length = readUint32(buffer, at);
  checkLength(length);
  const type = buffer[at + LENGTH_BYTES] ?? 0;
  if (KNOWN_TYPES[type] !== 1) throw frameError(`unknown type ${type}`);
  return LENGTH_BYTES + length;
}
