/** Reads HTTP/1.1 answers off a socket, as far as the raw clients need it. Runs in the test's process. */
import type { Socket } from "node:net";
import { CutShort } from "./journal.ts";

export interface RawAnswer {
  readonly status: number;
  readonly body: Buffer;
  /** Whether the server said that it is the connection's last. */
  readonly close: boolean;
  readonly pid: number;
}

/** The answers that come on one connection, in order. All must have a Content-Length. */
export class RawAnswers {
  readonly socket: Socket;
  #received = Buffer.alloc(0);
  #error: Error | undefined;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    const wake = (): void => this.#wake?.();
    socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      wake();
    });
    socket.on("error", (error) => {
      this.#error = error;
      wake();
    });
    for (const event of ["end", "close"]) {
      socket.on(event, () => {
        this.#ended = true;
        wake();
      });
    }
  }

  /** The next whole answer; undefined when the server closed in good order instead of beginning one. */
  async next(): Promise<RawAnswer | undefined> {
    for (;;) {
      const answer = this.#take();
      if (answer !== undefined) return answer;
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended) {
        if (this.#received.length > 0) throw new CutShort(`an answer ends after ${this.#received.length} bytes`);
        return undefined;
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #take(): RawAnswer | undefined {
    const end = this.#received.indexOf("\r\n\r\n");
    if (end === -1) return undefined;
    const head = this.#received.toString("latin1", 0, end);
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1]);
    if (Number.isNaN(length)) throw new CutShort(`an answer without a length: ${head}`);
    const from = end + 4;
    if (this.#received.length < from + length) return undefined;
    const body = this.#received.subarray(from, from + length);
    this.#received = this.#received.subarray(from + length);
    return {
      status: Number(head.slice(9, 12)),
      body,
      close: /^connection: close/im.test(head),
      pid: Number(/^x-pid: (\d+)/im.exec(head)?.[1]),
    };
  }
}
