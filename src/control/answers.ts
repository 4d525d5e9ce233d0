/** What a route may give besides a value, which becomes JSON. Used in the supervisor. */
import type { ServerResponse } from "node:http";

/** A text of a type of its own. */
export class TextAnswer {
  readonly contentType: string;
  readonly text: string;

  constructor({ contentType, text }: { readonly contentType: string; readonly text: string }) {
    this.contentType = contentType;
    this.text = text;
  }
}

/** Text that goes on until the client leaves or the supervisor ends. */
export class StreamAnswer {
  readonly contentType: string;
  readonly begin: (out: TextStream) => void;

  constructor(contentType: string, begin: (out: TextStream) => void) {
    this.contentType = contentType;
    this.begin = begin;
  }
}

/** Bytes that are made as fast as the client reads them. */
export class BytesAnswer {
  readonly contentType: string;
  readonly parts: AsyncIterable<Buffer>;

  constructor(contentType: string, parts: AsyncIterable<Buffer>) {
    this.contentType = contentType;
    this.parts = parts;
  }
}

/** Most bytes that wait for a client that does not read. */
const MOST_UNREAD_BYTES = 1024 * 1024;

/** How long a client may read nothing of an answer in bytes, in milliseconds: what it waits for is held in an instance's memory. */
const UNREAD_MS = 30_000;

/** An answer that grows. */
export class TextStream {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse, contentType: string) {
    this.#response = response;
    response.writeHead(200, {
      "Content-Type": contentType,
      "Cache-Control": "no-store",
      "X-Content-Type-Options": "nosniff",
    });
    response.flushHeaders();
  }

  /** Whether the client has left too much unread. */
  get isBehind(): boolean {
    return this.wouldBeBehind(0);
  }

  /** Whether it would with so many bytes more. */
  wouldBeBehind(bytes: number): boolean {
    return this.#response.writableLength + bytes > MOST_UNREAD_BYTES;
  }

  /** Writes; a client that is behind is dropped, since nobody else may pay for it. */
  write(text: string | Buffer): void {
    if (this.#response.writableEnded || this.#response.destroyed) return;
    this.#response.write(text);
    if (this.isBehind) this.#response.destroy();
  }

  /** Calls back when the client has read what there was. */
  onRead(listener: () => void): void {
    this.#response.on("drain", listener);
  }

  /** Calls back once, when the client is gone or the answer has ended. */
  onClose(listener: () => void): void {
    this.#response.once("close", listener);
  }

  end(): void {
    this.#response.end();
  }
}

/** Sends bytes; what fails after the first of them cuts the answer off, which the client sees. */
export async function sendBytes(response: ServerResponse, { contentType, parts }: BytesAnswer): Promise<void> {
  const iterator = parts[Symbol.asyncIterator]();
  // Before the head: a failure to begin has a status of its own.
  let next = await iterator.next();
  response.writeHead(200, { "Content-Type": contentType, "Cache-Control": "no-store" });
  try {
    while (next.done !== true) {
      if (response.destroyed) break;
      if (!response.write(next.value)) await untilRead(response);
      next = await iterator.next();
    }
    response.end();
  } catch {
    response.destroy();
  } finally {
    await iterator.return?.();
  }
}

/** Resolved when the client has read on, or is gone; one that does not read for long is cut off. */
function untilRead(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed) {
      resolve();
      return;
    }
    const late = setTimeout(() => response.destroy(), UNREAD_MS);
    const settle = (): void => {
      clearTimeout(late);
      response.off("drain", settle);
      response.off("close", settle);
      resolve();
    };
    response.on("drain", settle);
    response.on("close", settle);
  });
}
