/** An answer that grows line by line while something is under way. Used in the supervisor. */
import type { ServerResponse } from "node:http";
import type { ControlLine } from "./controllable.ts";
import type { EventFeed } from "./event-feed.ts";

/** Most bytes that wait for a client that does not read; then it is dropped, since nobody else may pay for it. */
const MOST_UNREAD_BYTES = 1024 * 1024;

export class EventStream {
  readonly #response: ServerResponse;
  readonly #unsubscribe: () => void;

  /** Begins the answer; every event from now on is part of it. */
  constructor(response: ServerResponse, events: Pick<EventFeed, "subscribe">) {
    this.#response = response;
    response.writeHead(200, { "Content-Type": "application/x-ndjson", "Cache-Control": "no-store" });
    response.flushHeaders();
    this.#unsubscribe = events.subscribe((event) => this.write(event));
    response.once("close", () => this.#unsubscribe());
  }

  write(line: ControlLine): void {
    if (this.#response.writableEnded || this.#response.destroyed) return;
    this.#response.write(`${JSON.stringify(line)}\n`);
    if (this.#response.writableLength > MOST_UNREAD_BYTES) this.#response.destroy();
  }

  /** Ends the answer. */
  end(): void {
    this.#unsubscribe();
    this.#response.end();
  }
}
