/** TLS handshakes: the price of a connection, and whether a client that comes back pays it again. */
import type { HttpRow } from "../row.ts";
import type { Surroundings } from "../serving.ts";
import { handshakes } from "../load/handshakes.ts";

const CLIENTS = 8;

export function tls(surroundings: Surroundings, kind: "full" | "resumed"): HttpRow {
  const resume = kind === "resumed";
  return {
    name: `tls-${kind}`,
    title: `TLS handshakes, ${kind}`,
    how: `${CLIENTS} × openssl s_time ${resume ? "-reuse" : "-new"} -www /, TLS 1.3, a P-256 certificate, one request on each connection.`,
    metrics: [
      { name: "handshakes", title: "handshakes", unit: "/s", better: "higher" },
      ...(resume ? [{ name: "resumed", title: "resumed", unit: "%", better: "higher" as const }] : []),
    ],
    setup: { app: "fastify", protocol: "https", instances: 2 },
    tools: ["openssl", "wrk"],
    every: 4,
    warm: true,
    async measure({ url }, { seconds }) {
      const { perSecond, resumed } = await handshakes(surroundings.processes, {
        url,
        seconds,
        clients: CLIENTS,
        resume,
      });
      return { handshakes: perSecond, ...(resume ? { resumed: 100 * resumed } : {}) };
    },
  };
}
