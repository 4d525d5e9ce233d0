/** An answer that grows by a line for each message of a topic. Used in the supervisor; it never waits for who reads it. */
import type { ServerResponse } from "node:http";
import type { Listener } from "../messaging/operator.ts";
import type { Messages } from "./controllable.ts";

export class MessageStream {
  readonly #response: ServerResponse;
  readonly #listener: Listener;

  /** Begins the answer; every message from now on is part of it. */
  constructor(response: ServerResponse, messages: Messages, pattern: string) {
    this.#response = response;
    this.#listener = messages.listen(pattern, {
      take: (line) => this.#write(line),
      lost: (lost) => this.#write(JSON.stringify({ lost })),
    });
    response.writeHead(200, { "Content-Type": "application/x-ndjson", "Cache-Control": "no-store" });
    response.flushHeaders();
    response.on("drain", () => this.#listener.resume());
    response.once("close", () => this.#listener.close());
  }

  /** Ends the answer. */
  end(): void {
    this.#listener.close();
    this.#response.end();
  }

  #write(line: string): boolean {
    if (this.#response.writableEnded || this.#response.destroyed) return true;
    return this.#response.write(`${line}\n`);
  }
}
