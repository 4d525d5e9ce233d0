/** A connection for every request: what load balancers without kept connections and health checks do. */
import type { HttpRow } from "../row.ts";
import type { Surroundings } from "../serving.ts";
import { wrk } from "../load/wrk.ts";

const CONNECTIONS = 64;

export function newConnection(surroundings: Surroundings, app: "fastify" | "plain"): HttpRow {
  return {
    name: app === "fastify" ? "new-connection" : "new-connection-plain",
    title: `A connection per request, ${app === "fastify" ? "Fastify" : "plain listener"}`,
    how: `wrk -t1 -c${CONNECTIONS} -H "Connection: close".`,
    metrics: [
      {
        name: "requests",
        title: "requests",
        unit: "/s",
        better: "higher",
        bars: [
          { peer: "bare", atLeast: 0.97 },
          { peer: "pm2", atLeast: 3 },
          { peer: "watt", atLeast: 0.97 },
        ],
      },
      { name: "p50", title: "p50", unit: "ms", better: "lower" },
      { name: "p99", title: "p99", unit: "ms", better: "lower" },
    ],
    setup: { app, protocol: "http", instances: 2 },
    tools: ["wrk"],
    every: app === "fastify" ? 1 : 2,
    warm: true,
    async measure({ url }, { seconds, note }) {
      const options = { url, seconds, connections: CONNECTIONS, newConnections: true };
      const { perSecond, p50, p99, errors } = await wrk(surroundings.processes, options);
      if (errors !== "") note(errors);
      return { requests: perSecond, p50, p99 };
    },
  };
}
