// What every contestant serves: the same Fastify routes, and the same as a plain listener. Runs in each contestant's instances.
import { randomUUID } from "node:crypto";
import { BroadcastChannel } from "node:worker_threads";

/** Tells instances apart, threads of one process too. */
const IDENTITY = randomUUID();

/** The answers that only the harness asks for, by path. */
const HARNESS = {
  "/id": () => `${IDENTITY} ${process.pid}`,
  // What `kill -9` is to a process, for threads: there is nobody outside who could end one.
  "/exit": () => {
    setImmediate(() => process.exit(1));
    return "leaving";
  },
  "/exit-all": () => {
    const channel = new BroadcastChannel("bench");
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is of windows
    channel.postMessage("leave");
    return "all leaving";
  },
  "/block": () => {
    // Answered first, so that whoever asked knows the time from which on this instance is stuck.
    setImmediate(() => spin(2000));
    return "blocking";
  },
};

/** Adds the routes to a Fastify app. */
export function routes(app) {
  app.get("/", () => ({ hello: "world" }));
  for (const [path, answer] of Object.entries(HARNESS)) app.get(path, answer);
}

/** The same without a framework. */
export function listener(request, response) {
  const answer = HARNESS[request.url];
  response.setHeader("Content-Type", answer === undefined ? "application/json" : "text/plain");
  response.end(answer === undefined ? '{"hello":"world"}' : answer());
}

function spin(ms) {
  const end = performance.now() + ms;
  while (performance.now() < end);
}
