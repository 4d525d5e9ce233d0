/** Watt (wattpm), whose instances are threads of one process. */
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { HttpContestant, HttpServing, HttpSetup } from "../contestant.ts";
import { terminate } from "../processes.ts";
import {
  firstAnswer,
  freePort,
  get,
  installed,
  program,
  readyCount,
  standaloneEnvironment,
  type Surroundings,
  until,
  urlOf,
} from "../serving.ts";

export function watt(surroundings: Surroundings, nodeVersion: string): HttpContestant {
  return {
    name: "watt",
    title: "Watt, threads",
    unable() {
      if (!existsSync(installed("wattpm"))) return "bench/ is not installed";
      return Number(nodeVersion.split(".")[0]) < 22 ? `it needs Node.js 22.19, this is ${nodeVersion}` : undefined;
    },
    start: (setup) => start(surroundings, setup),
  };
}

async function start({ processes, node }: Surroundings, setup: HttpSetup): Promise<HttpServing> {
  const port = await freePort();
  const { ready, env: own } = standaloneEnvironment(setup, { temp: processes.temp, port });
  const env = { ...own, BENCH_LEAVE: "with the others" };
  const folder = project(processes.temp, { port, instances: setup.instances });
  const cli = installed("wattpm/bin/cli.js");
  const since = performance.now();
  const child = processes.spawn(node, [cli, "start"], { cwd: folder, env, stdio: ["ignore", "ignore", "inherit"] });
  const pid = child.pid ?? -1;
  const url = urlOf(setup, port);
  const startMs = await firstAnswer(`${url}/`, since);
  await until(() => readyCount(ready) >= setup.instances, "all threads of Watt");
  return {
    url,
    startMs,
    threads: true,
    pids: () => ({ manager: [], instances: [pid] }),
    async restart() {
      await processes.run(node, [cli, "restart", String(pid)], { env, cwd: folder });
    },
    async killAll() {
      await get(`${url}/exit-all`);
    },
    stop: () => terminate(child),
  };
}

/** A folder with one application, as `wattpm` wants it. */
function project(temp: string, { port, instances }: { readonly port: number; readonly instances: number }): string {
  const folder = path.join(temp, `watt-${randomUUID()}`);
  mkdirSync(folder);
  symlinkSync(installed(""), path.join(folder, "node_modules"));
  writeFileSync(path.join(folder, "package.json"), JSON.stringify({ name: "bench", type: "module", main: "app.mjs" }));
  writeFileSync(
    path.join(folder, "app.mjs"),
    `import ${JSON.stringify(pathToFileURL(program("standalone.mjs")).href)};\n`,
  );
  const schema = "https://schemas.platformatic.dev/@platformatic/node/3.65.0.json";
  const runtime = { workers: instances, server: { hostname: "127.0.0.1", port }, logger: { level: "warn" } };
  writeFileSync(path.join(folder, "watt.json"), JSON.stringify({ $schema: schema, runtime }));
  return folder;
}
