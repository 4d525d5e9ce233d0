/** Everything is killed under load: who is refused, and for how long nobody is answered. */
import type { HttpRow } from "../row.ts";
import { pause, type Surroundings } from "../serving.ts";
import { failureText, startClients } from "../load/clients.ts";

const CLIENTS = 32;
/** Long enough for a contestant that brings its instances back slowly: until then nobody is answered. */
const PATIENCE_MS = 20_000;

export function outage(surroundings: Surroundings): HttpRow {
  return {
    name: "outage",
    title: "All instances killed under load",
    how: `${CLIENTS} clients with a connection for each request and pauses of 5 ms about; every instance is killed at once (Watt's threads end themselves), and until all is well every request without an answer counts, those in flight too.`,
    metrics: [
      { name: "failed", title: "failed requests", unit: "", better: "lower" },
      { name: "refused", title: "refused of them", unit: "", better: "lower" },
      { name: "outage", title: "nobody answered for", unit: "ms", better: "lower" },
    ],
    setup: { app: "fastify", protocol: "http", instances: 2 },
    tools: [],
    abilities: ["respawn"],
    every: 4,
    warm: false,
    async measure({ url, killAll }, { seconds, note }) {
      const clients = await startClients(surroundings, { url, clients: CLIENTS, keepAlive: false, pauseMs: 5 });
      await pause(500);
      await clients.mark();
      await killAll();
      // An instance that had not answered before has come, and then some time in which failures may follow.
      for (let waited = 0; waited < PATIENCE_MS; waited += 50) {
        await pause(50);
        const { newcomerMs } = await clients.look();
        if (newcomerMs !== undefined) break;
      }
      await pause(seconds * 500);
      const seen = await clients.stop();
      if (seen.failed > 0) note(failureText(seen));
      return { failed: seen.failed, refused: seen.failures["refused"] ?? 0, outage: seen.longestGap };
    },
  };
}
