/** One instance does not come back from its event loop: what the clients of the others notice. */
import type { HttpRow } from "../row.ts";
import { get, pause, type Surroundings } from "../serving.ts";
import { failureText, startClients } from "../load/clients.ts";

export function blocked(surroundings: Surroundings): HttpRow {
  return {
    name: "blocked",
    title: "One of two instances is blocked for 2 s",
    how: "16 clients with a connection for each request and pauses of 10 ms about, watched for 1.5 s while the loop of one instance stands still.",
    metrics: [
      { name: "p99", title: "p99", unit: "ms", better: "lower" },
      { name: "max", title: "slowest", unit: "ms", better: "lower" },
      { name: "answered", title: "answered", unit: "", better: "higher" },
    ],
    setup: { app: "fastify", protocol: "http", instances: 2 },
    tools: [],
    every: 4,
    warm: false,
    async measure({ url }, { note }) {
      const clients = await startClients(surroundings, { url, clients: 16, keepAlive: false, pauseMs: 10 });
      await pause(300);
      await get(`${url}/block`);
      await clients.mark();
      await pause(1500);
      const { answered } = await clients.look();
      // Those that wait for the blocked instance are answered when it is back, and show how long they have waited.
      await pause(700);
      const seen = await clients.stop();
      if (seen.failed > 0) note(failureText(seen));
      return { p99: seen.p99, max: seen.max, answered };
    },
  };
}
