/** PM2 in cluster mode, with a daemon and files of its own. */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { randomUUID } from "node:crypto";
import type { HttpContestant, HttpServing, HttpSetup } from "../contestant.ts";
import {
  firstAnswer,
  freePort,
  installed,
  ofManager,
  program,
  readyCount,
  standaloneEnvironment,
  type Surroundings,
  until,
  urlOf,
} from "../serving.ts";

export function pm2(surroundings: Surroundings): HttpContestant {
  return {
    name: "pm2",
    title: "PM2, cluster",
    unable: () => (existsSync(installed("pm2")) ? undefined : "bench/ is not installed"),
    start: (setup) => start(surroundings, setup),
  };
}

async function start({ processes, node }: Surroundings, setup: HttpSetup): Promise<HttpServing> {
  const port = await freePort();
  const { ready, env: own } = standaloneEnvironment(setup, { temp: processes.temp, port });
  const home = path.join(processes.temp, `pm2-${randomUUID()}`);
  mkdirSync(home);
  const env = { ...own, PM2_HOME: home, PM2_DISABLE_VERSION_CHECK: "true" };
  const command = (...args: string[]): Promise<string> =>
    processes.run(node, [installed("pm2/bin/pm2"), ...args], { env });
  const stop = async (): Promise<void> => {
    await command("kill");
    rmSync(home, { recursive: true, force: true });
  };
  // The daemon is there before: the start that is timed is that of the app, as on a server that has been up for a while.
  await command("ping");
  const pid = Number(readFileSync(path.join(home, "pm2.pid"), "utf8"));
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
