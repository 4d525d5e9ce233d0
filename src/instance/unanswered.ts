/**
 * Requests that an uncaught error has left without anybody to answer them. Without a zone nobody knows which ones they are, and a
 * drain would wait for them until it is killed. Runs in the instance.
 */
import type { Clock, Timer } from "../clock.ts";
import type { Connections } from "../http/connections.ts";
import type { Connection, Exchange } from "../http/connection.ts";
import { failExchange } from "../http/failure.ts";
import type { OpenRequest } from "../protocol.ts";

type Entry = readonly [Connection, Exchange];

export interface UnansweredOptions {
  readonly clock: Clock;
  /** How long nothing may have come or gone on a suspect's connection, in milliseconds. */
  readonly silentMs: number;
  /** Told which requests were given up. */
  readonly onGivenUp: (requests: readonly OpenRequest[]) => void;
}

/** How often a drain looks at what is left, as a share of the silence that it waits for. */
const CHECKS = 10;

/**
 * Suspects the requests that were open when an error came that no request could be blamed for.
 *
 * A drain gives suspects up when nothing but them is left, they are no more than there were such errors (each error has at most one
 * request of its own), and their connections have been silent for a while. So one error among twenty slow requests costs none of
 * them, and what is wrong only about the last one of all is that its client would have had to be slower than the silence.
 */
export class Unanswered {
  readonly #connections: Pick<Connections, "exchanges">;
  readonly #suspects = new WeakSet<object>();
  #errors = 0;

  constructor(connections: Pick<Connections, "exchanges">) {
    this.#connections = connections;
  }

  /** To be called at the moment of the error. */
  note(): void {
    // Errors whose requests are gone count no more.
    this.#errors = Math.min(this.#errors, this.#open().suspects.length) + 1;
    for (const [, exchange] of this.#connections.exchanges()) this.#suspects.add(exchange);
  }

  /** Gives up suspects from now on, until it is cancelled. To be called when the drain begins. */
  giveUp(options: UnansweredOptions): Timer {
    const { clock, silentMs } = options;
    const heard = new Map<unknown, { bytes: number; at: number }>();
    let timer: Timer;
    const check = (): void => {
      const { suspects, others } = this.#open();
      for (const entry of suspects) hear(entry, heard, clock.now());
      const isSilent = ([, exchange]: Entry): boolean => clock.now() - (heard.get(exchange)?.at ?? 0) >= silentMs;
      const isOver = others === 0 && suspects.length <= this.#errors;
      const silent = isOver ? suspects.filter(isSilent) : [];
      if (silent.length > 0) options.onGivenUp(giveUp(silent, heard, clock.now()));
      timer = clock.after(silentMs / CHECKS, check);
    };
    timer = clock.after(0, check);
    return { cancel: () => timer.cancel() };
  }

  #open(): { suspects: Entry[]; others: number } {
    const open = [...this.#connections.exchanges()];
    const suspects = open.filter(([, exchange]) => this.#suspects.has(exchange));
    return { suspects, others: open.length - suspects.length };
  }
}

function hear([connection, exchange]: Entry, heard: Map<unknown, { bytes: number; at: number }>, at: number): void {
  const bytes = connection.socket.bytesRead + connection.socket.bytesWritten;
  if (heard.get(exchange)?.bytes !== bytes) heard.set(exchange, { bytes, at });
}

function giveUp(entries: readonly Entry[], heard: Map<unknown, unknown>, now: number): OpenRequest[] {
  return entries.map(([, exchange]) => {
    const { answer, method, url, startedAt } = exchange;
    failExchange(answer);
    heard.delete(exchange);
    return { method, path: url.split("?", 1)[0] ?? "", ageMs: Math.round(now - startedAt) };
  });
}
