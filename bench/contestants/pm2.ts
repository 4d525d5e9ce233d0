/** PM2 in cluster mode, with a daemon and files of its own. */
import type { HttpContestant, HttpServing, HttpSetup } from "../contestant.ts";
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
import { pm2Missing, startPm2 } from "./pm2-daemon.ts";

export function pm2(surroundings: Surroundings): HttpContestant {
  return {
    name: "pm2",
    title: "PM2, cluster",
    unable: pm2Missing,
    start: (setup) => start(surroundings, setup),
  };
}

async function start(surroundings: Surroundings, setup: HttpSetup): Promise<HttpServing> {
  const port = await freePort();
  const { ready, env } = standaloneEnvironment(setup, { temp: surroundings.processes.temp, port });
  // The daemon is there before: the start that is timed is that of the app, as on a server that has been up for a while.
  const { pid, command, stop } = await startPm2(surroundings, env);
  const since = performance.now();
  const started = command("start", program("standalone.mjs"), "-i", String(setup.instances), "--name", "bench");
  const url = urlOf(setup, port);
  const [startMs] = await Promise.all([firstAnswer(`${url}/`, since), started]);
  await until(() => readyCount(ready) >= setup.instances, "all instances of PM2");
  const restart = async (): Promise<void> => {
    await command("reload", "bench");
  };
  return ofManager(pid, { url, startMs, restart, stop });
}
