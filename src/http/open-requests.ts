/** Names what is open on connections: for the log, without queries. Runs in the instance. */
import type { OpenRequest } from "../protocol.ts";
import type { Connection, Exchange } from "./connection.ts";
import { pathOf } from "./path-of.ts";

type Named = Pick<Exchange, "method" | "url" | "startedAt">;

/** What is open, upgraded sockets included, oldest first; `now` by the clock of the connections. */
export function namesOfOpen(connections: Iterable<Connection>, now: number): OpenRequest[] {
  return [...connections]
    .flatMap<Named>(({ open, upgrade }) => upgrade ?? open)
    .sort((a, b) => a.startedAt - b.startedAt)
    .map((exchange) => nameOf(exchange, now));
}

/** The oldest requests in flight that took `minAgeMs` so far, at most `most`: cheap, however much is open. */
export function namesOfOldest(
  connections: Iterable<Connection>,
  { now, most, minAgeMs }: { now: number; most: number; minAgeMs: number },
): OpenRequest[] {
  const oldest: Exchange[] = [];
  for (const { open } of connections) {
    for (const exchange of open) {
      if (now - exchange.startedAt < minAgeMs) continue;
      const at = oldest.findIndex(({ startedAt }) => exchange.startedAt < startedAt);
      oldest.splice(at === -1 ? oldest.length : at, 0, exchange);
      if (oldest.length > most) oldest.pop();
    }
  }
  return oldest.map((exchange) => nameOf(exchange, now));
}

function nameOf({ method, url, startedAt }: Named, now: number): OpenRequest {
  return { method, path: pathOf(url), ageMs: Math.round(now - startedAt) };
}
