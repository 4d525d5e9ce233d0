/** Rolling restarts under load: what they cost the clients. */
import type { HttpRow } from "../row.ts";
import { pause, type Surroundings } from "../serving.ts";
import { failureText, startClients } from "../load/clients.ts";

const RESTARTS = 5;
const CLIENTS = 64;

export function restart(surroundings: Surroundings, connections: "keep-alive" | "new-connection"): HttpRow {
  const keepAlive = connections === "keep-alive";
  return {
    name: `restart-${connections}`,
    title: `${RESTARTS} rolling restarts under load, ${keepAlive ? "kept connections" : "a connection per request"}`,
    how: `${CLIENTS} clients with pauses of 20 ms about; a request without a whole answer of 200 has failed. A run of one second makes one restart.`,
    metrics: [
      { name: "failed", title: "failed requests", unit: "", better: "lower" },
      { name: "each", title: "a restart", unit: "ms", better: "lower" },
    ],
    setup: { app: "fastify", protocol: "http", instances: 2 },
    tools: [],
    abilities: ["restart"],
    every: 4,
    warm: false,
    async measure(serving, { seconds, note }) {
      const clients = await startClients(surroundings, { url: serving.url, clients: CLIENTS, keepAlive, pauseMs: 20 });
      await clients.mark();
      const restarts = seconds === 1 ? 1 : RESTARTS;
      const start = performance.now();
      for (let n = 0; n < restarts; n++) await serving.restart();
      const each = (performance.now() - start) / restarts;
      // What the last one has left half done.
      await pause(1000);
      const seen = await clients.stop();
      if (seen.failed > 0) note(`${failureText(seen)} of ${seen.answered + seen.failed}`);
      return { failed: seen.failed, each };
    },
  };
}
