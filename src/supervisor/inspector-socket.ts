/**
 * A client for the inspector of a Node process: as much of WebSocket (RFC 6455) as Node's own server speaks, since Node 20 has no
 * client. Runs in the supervisor, for the second before it kills an instance that does not respond.
 */
import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import { http } from "../http/node-http.ts";

/** A message of the inspector's protocol. */
export interface InspectorMessage {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
}

/** What an instance may make us hold: its sources are no part of what is asked for. */
const MOST_BYTES = 16 * 1024 * 1024;

const TEXT = 1;
const CLOSE = 8;

/** One connection to an inspector. */
export class InspectorSocket {
  readonly #socket: Duplex;
  #id = 0;

  constructor(socket: Duplex, onMessage: (message: InspectorMessage) => void) {
    this.#socket = socket;
    const reader = new FrameReader((text) => onMessage(JSON.parse(text) as InspectorMessage));
    socket.on("data", (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch {
        // Nobody but the blocked process is on the other side: what it says is of no use then, and the deadline ends the wait.
        socket.destroy();
      }
    });
    socket.on("error", () => {});
  }

  /** Sends a command; its result has the id that is returned. */
  send(method: string, params: object = {}): number {
    this.#id += 1;
    this.#socket.write(maskedText(JSON.stringify({ id: this.#id, method, params })));
    return this.#id;
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Connects to `ws://127.0.0.1:PORT/UUID`; rejects when there is nobody, or `signal` is aborted. */
export function connectInspector(
  url: string,
  { onMessage, signal }: { onMessage: (message: InspectorMessage) => void; signal: AbortSignal },
): Promise<InspectorSocket> {
  return new Promise((resolve, reject) => {
    const request = http.get(url.replace(/^ws:/, "http:"), {
      agent: false,
      signal,
      headers: {
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
      },
    });
    request.on("error", reject);
    request.on("response", (response) => {
      response.destroy();
      reject(new Error(`The inspector answered with ${response.statusCode}`));
    });
    request.on("upgrade", (_response, socket, head) => {
      const inspector = new InspectorSocket(socket, onMessage);
      if (head.length > 0) socket.unshift(head);
      resolve(inspector);
    });
  });
}

/** Cuts the server's bytes into text messages; throws on what is no WebSocket, or too long. */
export class FrameReader {
  readonly #onText: (text: string) => void;
  #buffered: Buffer = Buffer.alloc(0);
  #fragments: Buffer[] = [];

  constructor(onText: (text: string) => void) {
    this.#onText = onText;
  }

  push(chunk: Buffer): void {
    this.#buffered = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk]);
    for (;;) {
      const frame = headOf(this.#buffered);
      if (frame === undefined) return;
      const end = frame.start + frame.length;
      if (end > MOST_BYTES) throw new Error(`A frame of ${frame.length} bytes`);
      if (this.#buffered.length < end) return;
      this.#take(frame, this.#buffered.subarray(frame.start, end));
      this.#buffered = this.#buffered.subarray(end);
    }
  }

  #take({ opcode, final }: FrameHead, payload: Buffer): void {
    if (opcode === CLOSE) throw new Error("The inspector closed the connection");
    // Pings and pongs may come between the fragments of a message, and ask for nothing in the second that this lasts.
    if (opcode > TEXT) return;
    this.#fragments.push(payload);
    if (!final) return;
    const text = Buffer.concat(this.#fragments).toString("utf8");
    this.#fragments = [];
    this.#onText(text);
  }
}

interface FrameHead {
  readonly opcode: number;
  readonly final: boolean;
  /** Where the payload begins. */
  readonly start: number;
  readonly length: number;
}

/** Reads a frame's head; undefined while it is not whole. A server never masks. */
function headOf(bytes: Buffer): FrameHead | undefined {
  if (bytes.length < 2) return undefined;
  const first = bytes.readUInt8(0);
  const second = bytes.readUInt8(1);
  const [start, length] =
    second === 127
      ? [10, bytes.length < 10 ? undefined : Number(bytes.readBigUInt64BE(2))]
      : second === 126
        ? [4, bytes.length < 4 ? undefined : bytes.readUInt16BE(2)]
        : [2, second];
  if (second > 127) throw new Error("A masked frame of a server");
  return length === undefined ? undefined : { opcode: first & 0x0f, final: (first & 0x80) !== 0, start, length };
}

/** A client masks what it sends; commands are far shorter than 64 kB. */
function maskedText(text: string): Buffer {
  const payload = Buffer.from(text);
  const mask = randomBytes(4);
  const head = Buffer.from([0x80 | TEXT, 0x80 | (payload.length < 126 ? payload.length : 126)]);
  const extended = Buffer.alloc(payload.length < 126 ? 0 : 2);
  if (extended.length > 0) extended.writeUInt16BE(payload.length);
  for (let index = 0; index < payload.length; index += 1) {
    payload[index] = (payload[index] ?? 0) ^ (mask[index % 4] ?? 0);
  }
  return Buffer.concat([head, extended, mask, payload]);
}
