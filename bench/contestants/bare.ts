/** The limit: the same app on Node's own server, listening on a descriptor that two processes share. Nobody manages them. */
import type { HttpContestant, HttpServing, HttpSetup } from "../contestant.ts";
import { terminate } from "../processes.ts";
import {
  cannot,
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

export function bare(surroundings: Surroundings): HttpContestant {
  return {
    name: "bare",
    title: "bare shared socket",
    unable: (_setup, abilities) => (abilities.length > 0 ? "nobody manages it" : undefined),
    start: (setup) => start(surroundings, setup),
  };
}

async function start({ processes, node }: Surroundings, setup: HttpSetup): Promise<HttpServing> {
  const port = await freePort();
  const { ready, env } = standaloneEnvironment(setup, { temp: processes.temp, port });
  const since = performance.now();
  const child = processes.spawn(node, [program("bare.mjs")], { stdio: ["ignore", "inherit", "inherit"], env });
  const url = urlOf(setup, port);
  const startMs = await firstAnswer(`${url}/`, since);
  await until(() => readyCount(ready) >= setup.instances, "all instances of the bare socket");
  return ofManager(child.pid ?? -1, { url, startMs, restart: cannot("restart"), stop: () => terminate(child) });
}
