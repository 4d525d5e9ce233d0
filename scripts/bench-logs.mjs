/**
 * Log files at full rate: two writers of pino lines through Choir's supervisor into a rotating file, and beside it pino writing its own
 * file in each process, which is the most that the writers can do. `node scripts/bench-logs.mjs [seconds]`, after a build.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const SECONDS = Number(process.argv[2] ?? 5);
const ROUNDS = 3;
const PINO = import.meta.resolve("pino");
const CHOIR = new URL("../dist/src/index.js", import.meta.url).href;
const LINE = `{ requestId: "4f2a-1", path: "/orders/17", status: 200, ms: 12.5, user: { id: 5, tags: ["a", "b"] } }, "request completed"`;

const folder = mkdtempSync(path.join(tmpdir(), "choir-bench-logs-"));
const file = (name) => path.join(folder, name);

// Both write for SECONDS from their first line, and say how many lines it were.
const LOOP = `
  const end = performance.now() + ${SECONDS * 1000};
  let lines = 0;
  (function turn() {
    for (let n = 0; n < 200; n += 1) logger.info(${LINE});
    lines += 200;
    if (performance.now() < end) setImmediate(turn);
    else writeFileSync("${folder}/" + process.pid + ".lines", String(lines));
  })();`;
writeFileSync(
  file("own.mjs"),
  `import { writeFileSync } from "node:fs"; import { pino } from "${PINO}";
   const logger = pino({ base: null }, pino.destination({ dest: "${folder}/own-" + process.pid + ".log", sync: true }));${LOOP}`,
);
writeFileSync(
  file("choir.mjs"),
  `import { writeFileSync } from "node:fs"; import { Runner } from "${CHOIR}";
   await new Runner("bench", (app) => { const { logger } = app.container.cradle; app.addHook("onReady", () => void setTimeout(() => {${LOOP}}, 500)); }).run();`,
);

/** Lines a second of both writers together, and CPU seconds of the supervisor per million lines. */
async function measure(args, { supervised }) {
  const writers = supervised ? 1 : 2;
  const children = Array.from({ length: writers }, () =>
    spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] }),
  );
  const ended = Promise.all(children.map((child) => new Promise((resolve) => child.once("exit", resolve))));
  const noted = () => readdirSync(folder).filter((name) => name.endsWith(".lines"));
  while (noted().length < 2) await new Promise((resolve) => setTimeout(resolve, 100));
  // What is in the pipes is written when the pump is through.
  await new Promise((resolve) => setTimeout(resolve, 500));
  const lines = noted().reduce((sum, name) => sum + Number(readFileSync(file(name), "utf8")), 0);
  const cpu = supervised ? cpuSeconds(children[0].pid) : 0;
  const rss = supervised
    ? Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${children[0].pid}/status`, "utf8"))[1]) / 1024
    : 0;
  for (const child of children) child.kill("SIGTERM");
  await ended;
  if (supervised) verify(lines);
  for (const name of readdirSync(folder)) if (!name.endsWith(".mjs")) rmSync(file(name), { recursive: true });
  return { rate: lines / SECONDS, cpuPerMillion: (cpu / lines) * 1e6, rss };
}

function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** A fast pump that loses lines is none. */
function verify(lines) {
  const logs = readdirSync(file("logs")).map((name) => path.join(file("logs"), name));
  const found = Number(execFileSync("sh", ["-c", `cat "$@" | grep -c "request completed"`, "sh", ...logs]));
  if (found !== lines) throw new Error(`${lines} lines were written, ${found} are in the files`);
  if (logs.some((name) => statSync(name).size > 10e6)) throw new Error("A file is larger than it may be");
}

const rotating = ["--quiet", "-p", "0", "-j", "2", "--log-file", file("logs/a.log"), "--log-rotate-size", "10MB"];
const CONTESTANTS = {
  "pino, its own file for each process, not rotated": { args: [file("own.mjs")], supervised: false },
  "Choir, one rotating file, json": { args: [file("choir.mjs"), ...rotating], supervised: true },
  "Choir, one rotating file, raw": {
    args: [file("choir.mjs"), ...rotating, "--log-file-format", "raw"],
    supervised: true,
  },
};

const results = new Map(Object.keys(CONTESTANTS).map((name) => [name, []]));
try {
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, { args, supervised }] of Object.entries(CONTESTANTS))
      results.get(name).push(await measure(args, { supervised }));
  }
} finally {
  rmSync(folder, { recursive: true });
}
for (const [name, figures] of results) {
  const median = (key) => figures.map((figure) => figure[key]).sort((a, b) => a - b)[Math.floor(ROUNDS / 2)];
  console.log(
    `${name}: ${Math.round(median("rate") / 1000)} k lines/s, supervisor ${median("cpuPerMillion").toFixed(2)} s of CPU per million lines, peak ${Math.round(median("rss"))} MB`,
  );
}
