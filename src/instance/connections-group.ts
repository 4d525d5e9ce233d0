/** The connections of all servers that a file has opened, counted as one. Runs in an instance of `choir start`. */
import { systemClock } from "../clock.ts";
import type { Connection, Exchange } from "../http/connection.ts";
import type { Connections } from "../http/connections.ts";
import { letGo } from "../http/let-go.ts";
import type { MeasuredRequests } from "../http/request-meter.ts";
import type { Sparse } from "../measured.ts";
import type { OpenRequest } from "../protocol.ts";
import type { MeasuredConnections } from "./heartbeat.ts";

type Figure =
  | "count"
  | "upgraded"
  | "requests"
  | "totalRequests"
  | "totalConnections"
  | "totalRefused"
  | "totalFailedHandshakes";

export class ConnectionsGroup implements MeasuredConnections {
  readonly meter = { take: (): MeasuredRequests => this.#takeMeasured() };
  readonly #members: Connections[] = [];

  add(connections: Connections): void {
    this.#members.push(connections);
  }

  get count(): number {
    return this.#sum("count");
  }

  get upgraded(): number {
    return this.#sum("upgraded");
  }

  get requests(): number {
    return this.#sum("requests");
  }

  get totalRequests(): number {
    return this.#sum("totalRequests");
  }

  get totalConnections(): number {
    return this.#sum("totalConnections");
  }

  get totalRefused(): number {
    return this.#sum("totalRefused");
  }

  get totalFailedHandshakes(): number {
    return this.#sum("totalFailedHandshakes");
  }

  openRequests(): OpenRequest[] {
    return oldestFirst(this.#members.flatMap((member) => member.openRequests()));
  }

  oldestRequests(most: number, minAgeMs: number): OpenRequest[] {
    return oldestFirst(this.#members.flatMap((member) => member.oldestRequests(most, minAgeMs))).slice(0, most);
  }

  *exchanges(): Generator<[Connection, Exchange]> {
    for (const member of this.#members) yield* member.exchanges();
  }

  /** Lets go of some connections, of each server its share. */
  letGo(count: number): void {
    const all = this.count;
    for (const member of this.#members)
      letGo(member, Math.round((count * member.count) / Math.max(1, all)), systemClock);
  }

  #sum(figure: Figure): number {
    return this.#members.reduce((sum, member) => sum + member[figure], 0);
  }

  #takeMeasured(): MeasuredRequests {
    const taken = this.#members.flatMap(({ meter }) => meter?.take() ?? []);
    return {
      responses: added(taken.map(({ responses }) => responses)),
      durations: added(taken.map(({ durations }) => durations)),
      durationSum: taken.reduce((sum, { durationSum }) => sum + durationSum, 0),
    };
  }
}

/** Adds counts, which are pairs of an index and a number. */
function added(all: readonly Sparse[]): number[] {
  if (all.length === 1) return [...(all[0] ?? [])];
  const sums = new Map<number, number>();
  for (const sparse of all) {
    for (let at = 0; at + 1 < sparse.length; at += 2) {
      const index = sparse[at] ?? 0;
      sums.set(index, (sums.get(index) ?? 0) + (sparse[at + 1] ?? 0));
    }
  }
  return [...sums].flat();
}

function oldestFirst(requests: readonly OpenRequest[]): OpenRequest[] {
  return requests.toSorted((a, b) => b.ageMs - a.ageMs);
}
