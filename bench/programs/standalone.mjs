// The contestants' app as a program that listens by itself: an instance of PM2, Watt, node:cluster, or of the bare shared socket.
import cluster from "node:cluster";
import { randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import path from "node:path";
import { BroadcastChannel } from "node:worker_threads";
import { listener, routes } from "./app.mjs";

const { BENCH_APP, BENCH_CERTIFICATES, BENCH_FD, BENCH_LEAVE, BENCH_PORT, BENCH_PROTOCOL, BENCH_READY } = process.env;
const where = BENCH_FD === undefined ? { host: "127.0.0.1", port: Number(BENCH_PORT) } : { fd: Number(BENCH_FD) };
const close = BENCH_APP === "plain" ? await servePlain() : await serveFastify();
if (BENCH_LEAVE === "with the others") leaveTogether();
else for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void leave());
// Only now: the harness counts these files to know how many instances there are.
writeFileSync(path.join(BENCH_READY, randomUUID()), String(process.pid));

async function servePlain() {
  const server = createServer(listener);
  // Node ignores the backlog in the options beside a descriptor.
  await new Promise((resolve) => {
    if (BENCH_FD === undefined) server.listen(where.port, where.host, resolve);
    else server.listen(where, 4096, resolve);
  });
  return () => new Promise((resolve) => server.close(resolve));
}

async function serveFastify() {
  const { fastify } = await import("fastify");
  const app = fastify({
    ...(BENCH_PROTOCOL === "http" ? {} : { https: { ...certificate(), allowHTTP1: true } }),
    ...(BENCH_PROTOCOL === "http2" ? { http2: true } : {}),
  });
  routes(app);
  if (BENCH_FD === undefined) await app.listen(where);
  else {
    await app.ready();
    await new Promise((resolve) => {
      app.server.listen(where, 4096, resolve);
    });
  }
  return () => app.close();
}

function createServer(handle) {
  if (BENCH_PROTOCOL === "http2") return http2.createSecureServer({ ...certificate(), allowHTTP1: true }, handle);
  return BENCH_PROTOCOL === "https" ? https.createServer(certificate(), handle) : http.createServer(handle);
}

function certificate() {
  const read = (file) => readFileSync(path.join(BENCH_CERTIFICATES, file));
  return { cert: read("localhost.crt"), key: read("localhost.key") };
}

/** As the documentation of PM2 says; under node:cluster the way that leaves no connection hanging. */
async function leave() {
  await close();
  if (BENCH_LEAVE === "by disconnecting") cluster.worker.disconnect();
  else process.exit(0);
}

/** All threads of a process end when one of them is told to: nobody outside can kill a thread. */
function leaveTogether() {
  const channel = new BroadcastChannel("bench");
  channel.unref();
  channel.addEventListener("message", () => process.exit(1));
}
