/** One instance is killed: how long until another has taken its place. */
import type { HttpRow } from "../row.ts";
import { get, pause, type Surroundings } from "../serving.ts";
import { kill } from "../processes.ts";
import { startClients } from "../load/clients.ts";

const PATIENCE_MS = 20_000;

export function crash(surroundings: Surroundings): HttpRow {
  return {
    name: "crash",
    title: "Crash of one instance to its replacement's first answer",
    how: "8 clients with a connection for each request; one of two instances is killed (a thread of Watt's ends itself), and it is over when an instance answers that was not there before.",
    metrics: [{ name: "ms", title: "replaced after", unit: "ms", better: "lower" }],
    setup: { app: "fastify", protocol: "http", instances: 2 },
    tools: [],
    abilities: ["respawn"],
    every: 4,
    warm: false,
    async measure({ url, pids, threads }) {
      const clients = await startClients(surroundings, { url, clients: 8, keepAlive: false, pauseMs: 5 });
      // Until both have answered: else the other one could be taken for the replacement.
      await pause(500);
      const [victim] = pids().instances;
      await clients.mark();
      if (threads) await get(`${url}/exit`);
      else if (victim !== undefined) kill(victim, "SIGKILL");
      let ms: number | undefined;
      for (let waited = 0; ms === undefined && waited < PATIENCE_MS; waited += 20) {
        await pause(20);
        ({ newcomerMs: ms } = await clients.look());
      }
      await clients.stop();
      if (ms === undefined) throw new Error(`Nobody took its place in ${PATIENCE_MS} ms`);
      return { ms };
    },
  };
}
