/** Log lines into files, as fast as they go, and what taking them costs whoever takes them. */
import { statSync } from "node:fs";
import type { LogRow, LogServing } from "../logs.ts";
import { cpuSeconds, type Processes } from "../processes.ts";
import { pause, type Surroundings } from "../serving.ts";

/** A whole line of programs/logs/writer.mjs, whatever Choir has put behind its fields. */
const LINE = String.raw`^\{"level":30,"time":[0-9]+,"requestId":.*,"msg":"request completed"[^{}]*\}$`;
/** When files do not grow for so long and the manager does next to nothing, all is written. */
const QUIET_MS = 200;
const NEXT_TO_NOTHING = 0.01;
const PATIENCE_MS = 60_000;

export function logLines({ processes }: Surroundings): LogRow {
  return {
    name: "log-lines",
    title: "Log lines of two processes into files",
    how: "Two processes log with pino, each line a write, as fast as they can; until the last line is in its file. Choir rotates at 10 MB, the others do not rotate. Afterwards the whole lines in all files are counted: a missing one fails the measurement.",
    metrics: [
      { name: "lines", title: "lines", unit: "/s", better: "higher" },
      { name: "cpu", title: "manager's CPU per million lines", unit: "s", better: "lower" },
    ],
    setup: { writers: 2 },
    contestants: ["choir", "choir-raw", "pino-file", "redirected", "pm2"],
    tools: [],
    every: 4,
    warm: true,
    async measure(serving, { seconds }) {
      const before = await settle(serving);
      const found = await count(processes, serving);
      const written = await Promise.all(serving.writers.map(({ order }) => order({ do: "write", ms: seconds * 1000 })));
      const after = await settle(serving);
      const total = sum(written, "total");
      const inFiles = await count(processes, serving);
      if (inFiles !== total) throw new Error(`${total} lines were written, ${inFiles} are in the files`);
      const lines = sum(written, "lines");
      if (inFiles - found !== lines) throw new Error("Lines of the warm-up came late");
      const start = Math.min(...written.map(({ startAt = Number.NaN }) => startAt));
      return { lines: lines / ((after.lastWrite - start) / 1000), cpu: (after.cpu - before.cpu) / (lines / 1e6) };
    },
  };
}

interface Progress {
  readonly bytes: number;
  /** Milliseconds since the epoch. */
  readonly lastWrite: number;
  /** What the manager has used, in seconds. */
  readonly cpu: number;
}

/** Waits until nothing more comes. */
async function settle(serving: LogServing): Promise<Progress> {
  let before = look(serving);
  for (let waited = 0; waited < PATIENCE_MS; waited += QUIET_MS) {
    await pause(QUIET_MS);
    const now = look(serving);
    if (now.bytes === before.bytes && now.cpu - before.cpu <= NEXT_TO_NOTHING) return now;
    before = now;
  }
  throw new Error(`Lines still came after ${PATIENCE_MS} ms`);
}

function look({ files, manager }: LogServing): Progress {
  const facts = files().map((file) => statSync(file));
  return {
    bytes: facts.reduce((all, { size }) => all + size, 0),
    lastWrite: Math.max(0, ...facts.map(({ mtimeMs }) => mtimeMs)),
    cpu: manager.reduce((all, pid) => all + cpuSeconds(pid), 0),
  };
}

/** How many whole lines of the writers' are in the files. */
async function count(processes: Processes, { files }: LogServing): Promise<number> {
  // With a command that succeeds behind it: grep fails when a file has none.
  const script = `LC_ALL=C grep -hcE -e "$0" -- "$@" || true`;
  const counts = await processes.run("sh", ["-c", script, LINE, ...files()]);
  return counts.split("\n").reduce((all, each) => all + Number(each), 0);
}

function sum(answers: readonly Record<string, number>[], field: string): number {
  return answers.reduce((all, each) => all + (each[field] ?? 0), 0);
}
