/** Requests on connections that are kept: what a proxy or a browser does. */
import type { HttpRow } from "../row.ts";
import type { Surroundings } from "../serving.ts";
import { wrk } from "../load/wrk.ts";

const CONNECTIONS = 64;

export function keepAlive(surroundings: Surroundings, app: "fastify" | "plain"): HttpRow {
  return {
    name: app === "fastify" ? "keep-alive" : "keep-alive-plain",
    title: `Kept connections, ${app === "fastify" ? "Fastify" : "plain listener"}`,
    how: `wrk -t1 -c${CONNECTIONS}: every connection asks again as soon as it is answered, so latency is that of a saturated machine.`,
    metrics: [
      {
        name: "requests",
        title: "requests",
        unit: "/s",
        better: "higher",
        bars: [
          { peer: "bare", atLeast: 0.97 },
          { peer: "pm2", atLeast: 1.1 },
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
      const { perSecond, p50, p99, errors } = await wrk(surroundings.processes, {
        url,
        seconds,
        connections: CONNECTIONS,
      });
      if (errors !== "") note(errors);
      return { requests: perSecond, p50, p99 };
    },
  };
}
