/**
 * Where the frames of a WebSocket begin and end in what an app writes to its socket, so that a close frame of our own never
 * lands inside one of the app's. Runs in the instance.
 */
import type { Socket } from "node:net";

const CLOSE = 0x8;
/** Close, final, unmasked, two bytes: 1001, "going away" (RFC 6455 section 7.4.1). */
const GOING_AWAY = Uint8Array.of(0x80 | CLOSE, 2, 0x03, 0xe9);
/** Longer than any answer to a handshake: what goes on beyond is not one. */
const MAX_HEAD = 64 * 1024;

/** Follows the bytes that a server sends on an upgraded connection: the answer's head, then frames. */
export class OutgoingFrames {
  #state: "head" | "frames" | "refused" = "head";
  #head = "";
  /** Of the frame that is being sent: what there is of its header, then what its payload lacks. */
  #header: number[] = [];
  #payloadLeft = 0;
  #closing = false;

  /** The app refused the handshake, or does not speak WebSocket. */
  get refused(): boolean {
    return this.#state === "refused";
  }

  /** Nothing that was begun is unfinished: a control frame may be sent now. */
  get betweenFrames(): boolean {
    return this.#state === "frames" && this.#payloadLeft === 0 && this.#header.length === 0;
  }

  /** The app has begun a close frame of its own. */
  get closing(): boolean {
    return this.#closing;
  }

  /** Takes what the app wrote as text, without making bytes of a payload. */
  pushText(text: string, encoding: BufferEncoding): void {
    const length = this.#payloadLeft > 0 ? Buffer.byteLength(text, encoding) : Infinity;
    if (length <= this.#payloadLeft) this.#payloadLeft -= length;
    else this.push(Buffer.from(text, encoding));
  }

  /** Takes what the app wrote. */
  push(bytes: Uint8Array): void {
    if (this.#state === "frames") this.#readFrames(bytes, 0);
    else if (this.#state === "head") this.#readHead(bytes);
  }

  #readHead(bytes: Uint8Array): void {
    const before = this.#head.length;
    this.#head += Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
    const end = this.#head.indexOf("\r\n\r\n");
    if (end === -1 && this.#head.length < MAX_HEAD) return;
    this.#state = end !== -1 && this.#head.startsWith("HTTP/1.1 101 ") ? "frames" : "refused";
    this.#head = "";
    if (this.#state === "frames") this.#readFrames(bytes, end + 4 - before);
  }

  #readFrames(bytes: Uint8Array, start: number): void {
    let at = start;
    while (at < bytes.length) {
      if (this.#payloadLeft > 0) {
        const taken = Math.min(this.#payloadLeft, bytes.length - at);
        this.#payloadLeft -= taken;
        at += taken;
        continue;
      }
      this.#header.push(bytes[at++] ?? 0);
      if (this.#header.length < headerLength(this.#header)) continue;
      this.#payloadLeft = payloadLength(this.#header);
      if (((this.#header[0] ?? 0) & 0x0f) === CLOSE) this.#closing = true;
      this.#header = [];
    }
  }
}

/** Follows all that the app writes to an upgraded socket. */
export function watchFrames(socket: Socket, frames: OutgoingFrames): void {
  const write = socket.write.bind(socket);
  socket.write = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    if (typeof chunk !== "string") frames.push(chunk);
    else frames.pushText(chunk, isEncoding(rest[0]) ? rest[0] : "utf8");
    return Reflect.apply(write, undefined, [chunk, ...rest]);
  };
}

/**
 * Sends a close frame with 1001 as soon as none of the app's frames is half-sent, and then nothing more: after it the protocol
 * forbids any other. An app that closes by itself is left alone.
 */
export function sendGoingAway(socket: Socket, frames: OutgoingFrames): void {
  // That of `watchFrames`: after it, `frames` knows what was written.
  const write = socket.write.bind(socket);
  let sent = false;
  const send = (): void => {
    if (sent || frames.closing || !frames.betweenFrames || !socket.writable) return;
    sent = true;
    write(GOING_AWAY);
  };
  socket.write = (...args: unknown[]): boolean => {
    if (sent) return drop(args);
    const flowing: boolean = Reflect.apply(write, undefined, args);
    send();
    return flowing;
  };
  send();
}

/** What a write does whose bytes go nowhere. */
function drop(args: unknown[]): boolean {
  const callback = args.find((value) => typeof value === "function");
  if (callback !== undefined) process.nextTick(callback);
  return true;
}

function isEncoding(value: unknown): value is BufferEncoding {
  return typeof value === "string" && Buffer.isEncoding(value);
}

/** Length of a frame's header by its first two bytes, RFC 6455 section 5.2. */
function headerLength(header: readonly number[]): number {
  const second = header[1];
  if (second === undefined) return 2;
  const short = second & 0x7f;
  return 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + (second & 0x80 ? 4 : 0);
}

function payloadLength(header: readonly number[]): number {
  const short = (header[1] ?? 0) & 0x7f;
  if (short < 126) return short;
  return header.slice(2, short === 126 ? 4 : 10).reduce((length, byte) => length * 256 + byte, 0);
}
