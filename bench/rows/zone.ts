/** What a context for each request costs. */
import type { HttpRow } from "../row.ts";
import type { Surroundings } from "../serving.ts";
import { keepAlive } from "./keep-alive.ts";

/** Choir with --use-zone beside itself without. */
export function zone(surroundings: Surroundings): HttpRow {
  return {
    ...keepAlive(surroundings, "fastify"),
    name: "use-zone",
    title: "The cost of --use-zone, kept connections, Fastify",
    every: 2,
    contestants: ["choir", "choir-zone"],
  };
}
