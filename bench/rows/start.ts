/** From the command to the first answer. */
import type { HttpRow } from "../row.ts";

export const START: HttpRow = {
  name: "start",
  title: "Start to first answer",
  how: "From the start of the command until GET / is answered, asked every 2 ms. PM2's daemon runs already.",
  metrics: [{ name: "ms", title: "start", unit: "ms", better: "lower" }],
  setup: { app: "fastify", protocol: "http", instances: 2 },
  tools: [],
  warm: false,
  measure: ({ startMs }) => Promise.resolve({ ms: startMs }),
};
