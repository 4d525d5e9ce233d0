/** All that serve HTTP, and what they are measured by: a new row is a file in rows/ and a line here. */
import { bare } from "./contestants/bare.ts";
import { choir } from "./contestants/choir.ts";
import { cluster } from "./contestants/cluster.ts";
import { pm2 } from "./contestants/pm2.ts";
import { watt } from "./contestants/watt.ts";
import type { HttpServing, HttpSetup } from "./contestant.ts";
import { wrk } from "./load/wrk.ts";
import type { Discipline } from "./rounds.ts";
import { blocked } from "./rows/blocked.ts";
import { cost } from "./rows/cost.ts";
import { crash } from "./rows/crash.ts";
import { keepAlive } from "./rows/keep-alive.ts";
import { memory } from "./rows/memory.ts";
import { newConnection } from "./rows/new-connection.ts";
import { outage } from "./rows/outage.ts";
import { restart } from "./rows/restart.ts";
import { http2 } from "./rows/http2.ts";
import { START } from "./rows/start.ts";
import { tls } from "./rows/tls.ts";
import type { Surroundings } from "./serving.ts";

export function httpDiscipline(surroundings: Surroundings, nodeVersion: string): Discipline<HttpSetup, HttpServing> {
  return {
    contestants: [
      choir(surroundings, { name: "choir", title: "Choir" }),
      choir(surroundings, { name: "choir-unmeasured", title: "Choir without measuring", file: "unmeasured.mjs" }),
      choir(surroundings, { name: "choir-zone", title: "Choir with --use-zone", args: ["--use-zone"] }),
      choir(surroundings, {
        name: "choir-access-log",
        title: "Choir with --access-log json into a file",
        args: ["--access-log", "json"],
        intoFile: true,
      }),
      bare(surroundings),
      cluster(surroundings, "round-robin"),
      cluster(surroundings, "none"),
      pm2(surroundings),
      watt(surroundings, nodeVersion),
    ],
    // Rows of one setup share a start of each contestant and follow each other: first what wants it fresh, last what breaks it.
    rows: [
      START,
      memory(surroundings, 2, "idle"),
      memory(surroundings, 2, "loaded"),
      keepAlive(surroundings, "fastify"),
      newConnection(surroundings, "fastify"),
      blocked(surroundings),
      crash(surroundings),
      restart(surroundings, "keep-alive"),
      restart(surroundings, "new-connection"),
      outage(surroundings),
      keepAlive(surroundings, "plain"),
      newConnection(surroundings, "plain"),
      http2(surroundings),
      tls(surroundings, "full"),
      tls(surroundings, "resumed"),
      cost(surroundings),
      memory(surroundings, 8, "idle"),
      memory(surroundings, 8, "loaded"),
    ],
    async warmUp({ url }, seconds) {
      await wrk(surroundings.processes, { url, seconds, connections: 64 });
    },
  };
}
