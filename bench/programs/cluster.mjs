// A manager as node:cluster's documentation has it: respawns at once, replaces one by one when it gets a SIGHUP. Its instances are standalone.mjs.
import cluster from "node:cluster";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

cluster.schedulingPolicy = process.env.BENCH_SCHEDULING === "none" ? cluster.SCHED_NONE : cluster.SCHED_RR;
cluster.setupPrimary({ exec: fileURLToPath(new URL("standalone.mjs", import.meta.url)) });
const leaving = new Set();
let stopping = false;
for (let n = 0; n < Number(process.env.BENCH_INSTANCES); n++) cluster.fork();
cluster.on("exit", (worker) => {
  if (!leaving.delete(worker.id) && !stopping) cluster.fork();
});
process.on("SIGTERM", () => {
  stopping = true;
  for (const worker of Object.values(cluster.workers)) worker.process.kill("SIGTERM");
  // Else the first of them to leave would end the primary's interest in the others.
  setInterval(() => {
    if (Object.keys(cluster.workers).length === 0) process.exit(0);
  }, 20);
});
process.on("SIGHUP", () => void restart());

async function restart() {
  for (const old of Object.values(cluster.workers)) {
    await once(cluster.fork(), "listening");
    leaving.add(old.id);
    old.process.kill("SIGTERM");
  }
  process.stdout.write("restarted\n");
}
