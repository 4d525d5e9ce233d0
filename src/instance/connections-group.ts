/** The connections of all servers that a file has opened, counted as one. Runs in an instance of `choir start`. */
import type { Connection, Exchange } from "../http/connection.ts";
import type { Connections } from "../http/connections.ts";
import type { OpenRequest } from "../protocol.ts";

type Counted = Pick<
  Connections,
  "count" | "requests" | "totalRequests" | "openRequests" | "oldestRequests" | "exchanges"
>;

export class ConnectionsGroup implements Counted {
  readonly #members: Connections[] = [];

  add(connections: Connections): void {
    this.#members.push(connections);
  }

  get count(): number {
    return this.#sum((member) => member.count);
  }

  get requests(): number {
    return this.#sum((member) => member.requests);
  }

  get totalRequests(): number {
    return this.#sum((member) => member.totalRequests);
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

  #sum(of: (member: Connections) => number): number {
    return this.#members.reduce((sum, member) => sum + of(member), 0);
  }
}

function oldestFirst(requests: readonly OpenRequest[]): OpenRequest[] {
  return requests.toSorted((a, b) => b.ageMs - a.ageMs);
}
