/**
 * What is around a value between machines: who sent it, as which message, and the version of a retained one. Used in the
 * supervisor; pure. Whatever an engine delivers, decoding it throws nothing.
 *
 *     magic u8, flags u8, origin 8 bytes, sequence u48,
 *     version u64 (retain and clear only), part u16 and parts u16 (parts only), payload
 *
 * A supervisor numbers what it sends: so each receiver takes a message once, however many of its subscriptions match and however
 * often it is sent anew after a connection was lost.
 */

/** Bits of an envelope's flags. */
export const MARK = {
  /** The payload is raw bytes; otherwise it is JSON text. The same bit as in a frame. */
  bytes: 1,
  /** It is the topic's value to retain. */
  retain: 2,
  /** The topic's retained value is to be forgotten; there is no payload. */
  clear: 4,
  /** It is one part of a value that is too long for one message. */
  parts: 8,
} as const;

const MAGIC = 0xc7;
const KNOWN_MARKS = MARK.bytes | MARK.retain | MARK.clear | MARK.parts;
const ORIGIN_BYTES = 8;
const FIXED_BYTES = 16;
const VERSION_BYTES = 8;
const PART_BYTES = 4;

/** An envelope that was opened. */
export interface Envelope {
  readonly marks: number;
  /** The supervisor that sent it: 16 hexadecimal digits. */
  readonly origin: string;
  readonly sequence: number;
  /** Of a retained value or a clear; otherwise 0. */
  readonly version: number;
  readonly part: number;
  readonly parts: number;
  readonly payload: Buffer;
}

export type Head = Omit<Envelope, "payload" | "part" | "parts">;

/** Puts a payload, which is copied, into an envelope. */
export function sealEnvelope(head: Head, payload: Uint8Array): Buffer {
  const at = headBytes(head.marks);
  const data = Buffer.allocUnsafe(at + payload.length);
  data[0] = MAGIC;
  data[1] = head.marks;
  data.write(head.origin, 2, ORIGIN_BYTES, "hex");
  data.writeUIntBE(head.sequence, 2 + ORIGIN_BYTES, 6);
  if (isVersioned(head.marks)) data.writeBigUInt64BE(BigInt(head.version), FIXED_BYTES);
  data.set(payload, at);
  return data;
}

/** Opens an envelope, whose payload is a view of `data`; undefined when it is none of Choir's. */
export function openEnvelope(data: Uint8Array): Envelope | undefined {
  const buffer = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const marks = buffer[1] ?? 0;
  if (buffer[0] !== MAGIC || (marks & ~KNOWN_MARKS) !== 0) return undefined;
  const inParts = (marks & MARK.parts) !== 0;
  const head = headBytes(marks);
  if (buffer.length < head) return undefined;
  const version = isVersioned(marks) ? Number(buffer.readBigUInt64BE(FIXED_BYTES)) : 0;
  const part = inParts ? buffer.readUInt16BE(head - PART_BYTES) : 0;
  const parts = inParts ? buffer.readUInt16BE(head - PART_BYTES + 2) : 1;
  if (part >= parts || !Number.isSafeInteger(version)) return undefined;
  return {
    marks,
    origin: buffer.toString("hex", 2, 2 + ORIGIN_BYTES),
    sequence: buffer.readUIntBE(2 + ORIGIN_BYTES, 6),
    version,
    part,
    parts,
    payload: buffer.subarray(head),
  };
}

/** Cuts a sealed envelope into messages of at most `maxBytes`; itself when it is short enough. */
export function splitEnvelope(data: Buffer, maxBytes: number): readonly Buffer[] {
  if (data.length <= maxBytes) return [data];
  const marks = data[1] ?? 0;
  const head = headBytes(marks);
  const room = Math.max(1, maxBytes - head - PART_BYTES);
  const parts = Math.ceil((data.length - head) / room);
  return Array.from({ length: parts }, (_, part) => {
    const from = head + part * room;
    const place = Buffer.alloc(PART_BYTES);
    place.writeUInt16BE(part, 0);
    place.writeUInt16BE(parts, 2);
    const message = Buffer.concat([data.subarray(0, head), place, data.subarray(from, from + room)]);
    message[1] = marks | MARK.parts;
    return message;
  });
}

/** Where version and origin lie in a record, which is a sealed envelope without parts: engines compare these bytes. */
export const RECORD_FIELDS = {
  version: { start: FIXED_BYTES, end: FIXED_BYTES + VERSION_BYTES },
  origin: { start: 2, end: 2 + ORIGIN_BYTES },
} as const;

/** Whether one record is newer than another, by version and, at the same one, by who made it. */
export function isNewerRecord(record: Uint8Array, than: Uint8Array): boolean {
  return Buffer.compare(orderOf(record), orderOf(than)) > 0;
}

function orderOf(record: Uint8Array): Buffer {
  const { version, origin } = RECORD_FIELDS;
  return Buffer.concat([record.subarray(version.start, version.end), record.subarray(origin.start, origin.end)]);
}

function isVersioned(marks: number): boolean {
  return (marks & (MARK.retain | MARK.clear)) !== 0;
}

function headBytes(marks: number): number {
  return FIXED_BYTES + (isVersioned(marks) ? VERSION_BYTES : 0) + ((marks & MARK.parts) === 0 ? 0 : PART_BYTES);
}
