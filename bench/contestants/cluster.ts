/** `node:cluster` with a manager of a page, by round-robin through the primary or by handles that all workers share. */
import type { HttpContestant, HttpServing, HttpSetup } from "../contestant.ts";
import { terminate } from "../processes.ts";
import {
  firstAnswer,
  freePort,
  ofManager,
  program,
  readyCount,
  standaloneEnvironment,
  type Surroundings,
  until,
  urlOf,
} from "../serving.ts";

export function cluster(surroundings: Surroundings, scheduling: "round-robin" | "none"): HttpContestant {
  return {
    name: scheduling === "none" ? "cluster-none" : "cluster-rr",
    title: scheduling === "none" ? "node:cluster, SCHED_NONE" : "node:cluster, round-robin",
    unable: () => undefined,
    start: (setup) => start(surroundings, setup, scheduling),
  };
}

async function start({ processes, node }: Surroundings, setup: HttpSetup, scheduling: string): Promise<HttpServing> {
  const port = await freePort();
  const { ready, env } = standaloneEnvironment(setup, { temp: processes.temp, port });
  const since = performance.now();
  const child = processes.spawn(node, [program("cluster.mjs")], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...env, BENCH_SCHEDULING: scheduling, BENCH_LEAVE: "by disconnecting" },
  });
  let restarts = 0;
  child.stdout?.on("data", () => restarts++);
  const url = urlOf(setup, port);
  const startMs = await firstAnswer(`${url}/`, since);
  await until(() => readyCount(ready) >= setup.instances, "all workers of node:cluster");
  return ofManager(child.pid ?? -1, {
    url,
    startMs,
    async restart() {
      const before = restarts;
      child.kill("SIGHUP");
      await until(() => restarts > before, "the restart of node:cluster's workers");
    },
    stop: () => terminate(child),
  });
}
