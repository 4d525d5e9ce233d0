// HTTP/1.1 clients that notice every request without a whole answer. Each has one connection, or a new one for each request.
import http from "node:http";

const { url, clients, keepAlive, pauseMs } = JSON.parse(process.argv[2]);
/** Longer than any start of an instance: a request that takes so long is never answered. */
const HUNG_MS = 10_000;
/** A client whose request was lost rests: a port that refuses is not asked in a tight loop. */
const AFTER_FAILURE_MS = 10;
const known = new Set();
const stopping = new AbortController();
let seen = nothing();

const working = Array.from({ length: clients }, () => work());
await Promise.all(working.map(({ first }) => first));
process.on("message", (order) => void obey(order));
process.on("disconnect", () => process.exit(0));
process.send({});

async function obey(order) {
  if (order === "mark") {
    seen = nothing();
    process.send({});
  } else if (order === "look") process.send(summary());
  else {
    stopping.abort();
    await Promise.all(working.map(({ done }) => done));
    process.send(summary(), () => process.exit(0));
  }
}

function nothing() {
  const now = performance.now();
  return { since: now, lastAnswer: now, longestGap: 0, latencies: [], failures: {}, newcomerMs: undefined };
}

function work() {
  const agent = keepAlive ? new http.Agent({ keepAlive: true, maxSockets: 1 }) : undefined;
  let answered;
  const first = new Promise((resolve) => {
    answered = resolve;
  });
  const loop = async () => {
    while (!stopping.signal.aborted) {
      const start = performance.now();
      try {
        note(start, await ask(agent));
        answered();
        await rest(pauseMs * (0.5 + Math.random()));
      } catch (error) {
        const how = error.code ?? error.message;
        seen.failures[how] = (seen.failures[how] ?? 0) + 1;
        await rest(AFTER_FAILURE_MS);
      }
    }
    agent?.destroy();
  };
  return { first, done: loop() };
}

function note(start, identity) {
  const now = performance.now();
  seen.latencies.push(now - start);
  seen.longestGap = Math.max(seen.longestGap, now - seen.lastAnswer);
  seen.lastAnswer = now;
  if (known.has(identity)) return;
  known.add(identity);
  seen.newcomerMs ??= now - seen.since;
}

function ask(agent) {
  return new Promise((resolve, reject) => {
    const request = http.get(`${url}/id`, { agent: agent ?? false, timeout: HUNG_MS }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk) => (body += chunk));
      response.on("error", reject);
      response.on("end", () => {
        if (!response.complete) reject(new Error("cut short"));
        else if (response.statusCode === 200) resolve(body);
        else reject(new Error(`status ${response.statusCode}`));
      });
    });
    request.on("timeout", () => request.destroy(new Error("hung")));
    request.on("error", reject);
  });
}

function summary() {
  const sorted = seen.latencies.toSorted((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return {
    answered: sorted.length,
    failed: Object.values(seen.failures).reduce((sum, count) => sum + count, 0),
    failures: named(seen.failures),
    p50: at(0.5),
    p99: at(0.99),
    max: sorted.at(-1) ?? 0,
    longestGap: Math.max(seen.longestGap, performance.now() - seen.lastAnswer),
    newcomerMs: seen.newcomerMs,
  };
}

function named(failures) {
  const names = { ECONNREFUSED: "refused", ECONNRESET: "reset", EPIPE: "reset" };
  const result = {};
  for (const [code, count] of Object.entries(failures)) {
    const name = names[code] ?? code;
    result[name] = (result[name] ?? 0) + count;
  }
  return result;
}

function rest(ms) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
