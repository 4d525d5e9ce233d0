// How evenly connections that stay are spread over the instances: `node scripts/measure-balance.mjs [instances] [connections]`, after
// a build. Prints what each instance holds when clients have connected one by one, after a rolling restart, and as time goes by.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as passed } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const [instances = "4", connections = "200", protocol = "http1"] = process.argv.slice(2);
const PAUSE_MS = 250;
const choir = new URL("../dist/src/index.js", import.meta.url).href;
const fixture = (name) => fileURLToPath(new URL(`../test/fixtures/tls/${name}`, import.meta.url));

const folder = mkdtempSync(path.join(tmpdir(), "choir-balance-"));
const entry = path.join(folder, "main.mjs");
writeFileSync(
  entry,
  `import { Runner } from ${JSON.stringify(choir)};
await new Runner("balance", (app) => { app.get("/", () => String(process.pid)); }).run();
`,
);
const tls =
  protocol === "http2"
    ? ["--http2", "--certificate-file", fixture("localhost.crt"), "--key-file", fixture("localhost.key")]
    : [];
const program = spawn(
  process.execPath,
  [entry, "-p", "0", "-j", instances, "--log-format", "json", "--canary-time", "200ms", ...tls],
  {
    env: { ...process.env, XDG_RUNTIME_DIR: folder },
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  },
);
process.on("exit", () => {
  program.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

const waiting = new Set();
const events = [];
createInterface({ input: program.stdout }).on("line", (line) => {
  const event = JSON.parse(line);
  events.push(event);
  for (const look of waiting) look();
});
const counted = (name, count) =>
  new Promise((resolve) => {
    const look = () => {
      const found = events.filter(({ event }) => event === name);
      if (found.length < count) return;
      waiting.delete(look);
      resolve(found);
    };
    waiting.add(look);
    look();
  });

const [{ url }] = await counted("instance-ready", Number(instances));
const over = new AbortController();
const pids = new Map();
let failures = 0;
let reconnects = 0;

async function http1Client(id) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  let socket;
  while (!over.signal.aborted) {
    await new Promise((resolve) => {
      const request = http.get(url, { agent }, (response) => {
        if (socket !== undefined && socket !== request.socket) reconnects += 1;
        socket = request.socket;
        response
          .setEncoding("utf8")
          .on("data", (pid) => pids.set(id, pid))
          .on("end", resolve);
      });
      request.on("error", () => resolve((failures += 1)));
    });
    await passed(PAUSE_MS);
  }
  agent.destroy();
}

async function http2Client(id) {
  let session;
  while (!over.signal.aborted) {
    if (session === undefined || session.closed || session.destroyed) {
      if (session !== undefined) reconnects += 1;
      session = http2.connect(url, { rejectUnauthorized: false }).on("error", () => {});
    }
    await new Promise((resolve) => {
      const stream = session.request({ ":path": "/" });
      stream
        .setEncoding("utf8")
        .on("data", (pid) => pids.set(id, pid))
        .on("end", resolve);
      stream.on("error", () => resolve((failures += 1)));
    });
    await passed(PAUSE_MS);
  }
  session.close();
}

function show(when) {
  const counts = new Map();
  for (const pid of pids.values()) counts.set(pid, (counts.get(pid) ?? 0) + 1);
  const held = [...counts.values()].toSorted((a, b) => b - a);
  while (held.length < Number(instances)) held.push(0);
  console.log(`${when.padEnd(38)} ${held.join(" / ").padEnd(40)} reconnects ${reconnects}, failures ${failures}`);
}

const clients = [];
for (let id = 0; id < Number(connections); id += 1) {
  clients.push((protocol === "http2" ? http2Client : http1Client)(id));
  await passed(5);
}
await passed(1000);
show("connected one by one");
for (const seconds of [5, 10, 20]) {
  await passed(seconds * 1000);
  show(`${seconds} s later`);
}
program.kill("SIGHUP");
await counted("restart-finished", 1);
await passed(8000);
show("8 s after a rolling restart");
for (const seconds of [5, 10, 20]) {
  await passed(seconds * 1000);
  show(`${seconds} s later`);
}
over.abort();
await Promise.all(clients);
program.kill("SIGTERM");
await counted("stopped", 1);
process.exit(0);
