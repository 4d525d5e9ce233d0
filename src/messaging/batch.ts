/**
 * Encodes a client's frames straight into one growing buffer, so that many frames cost one write. Runs in the instance.
 * Every `publish` passes here: nothing is allocated per message.
 */
import { checkTopic } from "./topics.ts";
import {
  FLAG,
  FRAME,
  HEAD_BYTES,
  MAX_TOPIC_LENGTH,
  MAX_VALUE_BYTES,
  MESSAGE_FIELD_BYTES,
  controlBytes,
  writeControl,
  writeUint32,
  type Control,
} from "./frames.ts";
import { encodeValue, tooLong, type Encoded } from "./value.ts";

const SLAB_BYTES = 128 * 1024;
/** Texts up to this length are given three bytes for each character instead of being measured: UTF-8 never needs more. */
const UNMEASURED = 4096;
const OVERHEAD = HEAD_BYTES + MESSAGE_FIELD_BYTES + MAX_TOPIC_LENGTH + controlBytes();

/** What comes before the payload in a frame of `valued`. */
export interface ValuedHead {
  readonly type: number;
  readonly id: number;
  /** Whether two bytes are left before the flags, for the broker to fill in. */
  readonly hasPlace?: boolean;
  readonly flags?: number;
  readonly topic?: string;
}

export class Batch {
  /** Never written again once it was handed out: a stream may hold on to it. */
  #slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
  #start = 0;
  #end = 0;
  /** What `take` gives besides the slab: slabs that were full. */
  #full: Buffer[] = [];
  #fullBytes = 0;
  /** The last topic published to: it need not be checked again. */
  #topic: string | undefined;

  /** Bytes that wait to be taken. */
  get length(): number {
    return this.#fullBytes + this.#end - this.#start;
  }

  /** Adds a frame of a request. */
  control(frame: Control): void {
    this.#reserve(controlBytes(frame.topic));
    this.#end = writeControl(this.#slab, this.#end, frame);
  }

  /**
   * Adds a message, with `retainId` as one to retain. Adds nothing when it throws.
   * @throws ChoirError ERR_CHOIR_TOPIC or ERR_CHOIR_VALUE.
   */
  message(topic: string, value: unknown, retainId?: number): void {
    if (topic !== this.#topic) {
      checkTopic(topic);
      this.#topic = topic;
    }
    const encoded = encodeValue(value);
    if (typeof encoded === "string") this.#reserveText(encoded);
    else this.#reserve(OVERHEAD + encoded.length);
    if (retainId !== undefined) this.control({ type: FRAME.retain, id: retainId });
    const slab = this.#slab;
    const start = this.#end;
    const fields = start + HEAD_BYTES;
    slab[fields - 1] = FRAME.message;
    slab[fields + 1] = topic.length;
    let at = fields + MESSAGE_FIELD_BYTES;
    at += slab.write(topic, at, "latin1");
    slab[fields] = typeof encoded === "string" ? 0 : FLAG.bytes;
    this.#finish(start, this.#write(encoded, at));
  }

  /** Adds a frame of an id, flags, perhaps a topic, and a value or a text that was encoded before. Nothing is checked. */
  valued({ type, id, hasPlace = false, flags = 0, topic }: ValuedHead, encoded: Encoded | undefined): void {
    if (typeof encoded === "string") this.#reserveText(encoded);
    else this.#reserve(OVERHEAD + (encoded?.length ?? 0));
    const slab = this.#slab;
    const start = this.#end;
    slab[start + HEAD_BYTES - 1] = type;
    let at = writeUint32(slab, id, start + HEAD_BYTES);
    if (hasPlace) {
      slab[at++] = 0;
      slab[at++] = 0;
    }
    const kind = encoded === undefined ? FLAG.none : typeof encoded === "string" ? 0 : FLAG.bytes;
    slab[at++] = flags | kind;
    if (topic !== undefined) {
      slab[at++] = topic.length;
      at += slab.write(topic, at, "latin1");
    }
    this.#finish(start, encoded === undefined ? at : this.#write(encoded, at));
  }

  /** Hands out what was added since the last call, in order. */
  take(): Buffer[] {
    const parts = this.#full;
    this.#full = [];
    this.#fullBytes = 0;
    if (this.#end > this.#start) parts.push(this.#slab.subarray(this.#start, this.#end));
    this.#start = this.#end;
    return parts;
  }

  #write(encoded: Encoded, at: number): number {
    if (typeof encoded === "string") return at + this.#slab.write(encoded, at);
    this.#slab.set(encoded, at);
    return at + encoded.length;
  }

  #finish(start: number, end: number): void {
    writeUint32(this.#slab, end - start - 4, start);
    this.#end = end;
  }

  #reserveText(text: string): void {
    if (text.length <= UNMEASURED) {
      this.#reserve(OVERHEAD + text.length * 3);
      return;
    }
    const bytes = Buffer.byteLength(text);
    if (bytes > MAX_VALUE_BYTES) throw tooLong(bytes);
    this.#reserve(OVERHEAD + bytes);
  }

  /** Makes room in the slab, with a new one when it is full. */
  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#slab.length) return;
    if (this.#end > this.#start) {
      this.#full.push(this.#slab.subarray(this.#start, this.#end));
      this.#fullBytes += this.#end - this.#start;
    }
    this.#slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, bytes));
    this.#start = 0;
    this.#end = 0;
  }
}
