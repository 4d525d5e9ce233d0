/** How one HTTP/2 session is brought to its end by a drain. Runs in the instance. */
import type { ServerHttp2Session } from "node:http2";
import type { Clock } from "../clock.ts";

/**
 * Sends GOAWAY right after the session's next stream, or after `idleMs`; open streams finish, then it closes.
 *
 * Node has no shutdown notice: streams that cross a GOAWAY on the wire are refused (safe to retry, but not all clients do). A
 * client that has just sent a stream is the least likely to be sending another.
 */
export class Http2Drain {
  readonly #session: ServerHttp2Session;

  constructor(session: ServerHttp2Session, options: { idleMs: number; clock: Clock }) {
    this.#session = session;
    options.clock.after(options.idleMs, () => this.#leave());
  }

  /** A stream came. */
  stream(): void {
    // Not at once: the app has not seen the stream yet, nor those that came in the same packet.
    setImmediate(() => this.#leave());
  }

  #leave(): void {
    if (!this.#session.closed && !this.#session.destroyed) this.#session.close();
  }
}
