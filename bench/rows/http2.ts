/** HTTP/2 over TLS, as browsers speak it. */
import type { HttpRow } from "../row.ts";
import type { Surroundings } from "../serving.ts";
import { h2load } from "../load/h2load.ts";

export function http2(surroundings: Surroundings): HttpRow {
  return {
    name: "http2",
    title: "HTTP/2, 10 connections × 10 streams",
    how: "h2load -c10 -m10, over TLS.",
    metrics: [{ name: "requests", title: "requests", unit: "/s", better: "higher" }],
    setup: { app: "fastify", protocol: "http2", instances: 2 },
    tools: ["h2load", "wrk"],
    every: 4,
    warm: true,
    async measure({ url }, { seconds, note }) {
      const load = { url, seconds, connections: 10, streams: 10 };
      // wrk, which has warmed everything else, speaks HTTP/1.1 only.
      await h2load(surroundings.processes, { ...load, seconds: 1 });
      const { perSecond, failed } = await h2load(surroundings.processes, load);
      if (failed > 0) note(`${failed} failed`);
      return { requests: perSecond };
    },
  };
}
