/** How one HTTP/1 connection is brought to its end by a drain. Runs in the instance. */
import type { ServerResponse } from "node:http";
import type { Clock, Timer } from "../clock.ts";
import type { Connection } from "./connection.ts";
import { closeWhenLast, withdrawClose } from "./last-answer.ts";

/** When the grace of an idle connection ends in the middle of a request's head, its client gets this long for more of it … */
const HALF_HEAD_MS = 1000;
/** … and again while more of it comes, this many times: a slow client is not cut off, and one that wants to hold us up cannot. */
const HALF_HEADS = 5;

export interface Http1DrainOptions {
  /** How long an idle connection waits for its next request; undefined leaves that to the server's keep-alive timeout. */
  readonly idleMs: number | undefined;
  readonly clock: Clock;
}

/** The end of one HTTP/1 connection: it is open until its last answer, or until it has been idle for long enough. */
export class Http1Drain {
  readonly #connection: Connection;
  readonly #clock: Clock;
  #idleMs: number | undefined;
  /** The response to the last request that came. */
  #last: ServerResponse | undefined;
  /** The response that says `Connection: close`. */
  #closing: ServerResponse | undefined;
  #idle: Timer | undefined;

  constructor(connection: Connection, { idleMs, clock }: Http1DrainOptions) {
    this.#connection = connection;
    this.#clock = clock;
    this.#idleMs = idleMs;
    // Node calls this after a last answer, and then destroys the socket: with bytes unread that is a reset, which can overtake the answer.
    connection.socket.destroySoon = () => connection.socket.end();
  }

  /** Takes up a response that was open when the drain began, or whose request came since; false when it comes too late to be answered. */
  take(response: ServerResponse): boolean {
    if (this.#tooLate()) {
      // The client has been told not to expect an answer. Its body must be read all the same: see `destroySoon`.
      response.req.resume();
      return false;
    }
    this.#idle?.cancel();
    this.#idle = undefined;
    this.#last = response;
    closeWhenLast(response, () => this.#isLast(response));
    return true;
  }

  /** Has the app hear of a request when all requests of its packet are known: a handler may answer at once. */
  hold(response: ServerResponse, dispatch: () => void): void {
    if (!this.take(response)) return;
    setImmediate(() => {
      if (!response.req.destroyed) dispatch();
    });
  }

  /** Sets how long the connection, idle from now on or later, waits for its next request. */
  hurry(idleMs: number): void {
    this.#idleMs = idleMs;
    if (this.#connection.open.length === 0) this.idle();
  }

  /** Begins the grace of a connection that nothing is open on. */
  idle(): void {
    if (this.#idleMs !== undefined) this.#await(this.#idleMs, this.#connection.socket.bytesRead, HALF_HEADS);
  }

  #tooLate(): boolean {
    if (!this.#connection.socket.writable) return true;
    if (this.#closing === undefined) return false;
    if (!withdrawClose(this.#closing)) return true;
    this.#closing = undefined;
    return false;
  }

  #isLast(response: ServerResponse): boolean {
    if (response !== this.#last) return false;
    this.#closing = response;
    return true;
  }

  #await(ms: number, bytesRead: number, more: number): void {
    const timer = this.#clock.after(ms, () => {
      // The turn of the loop reads what had arrived when the time was up.
      setImmediate(() => this.#idle === timer && this.#graceOver(bytesRead, more));
    });
    this.#idle = timer;
  }

  #graceOver(bytesRead: number, more: number): void {
    const { socket, session, upgrade } = this.#connection;
    if (session !== undefined || upgrade !== undefined) return;
    if (more > 0 && socket.bytesRead !== bytesRead) this.#await(HALF_HEAD_MS, socket.bytesRead, more - 1);
    else socket.end();
  }
}
