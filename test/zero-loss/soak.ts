/**
 * A long run: restarts, kills, stalls, stops and replacements at random under every kind of client, then a summary in Markdown.
 * Started by scripts/soak.mjs. Exits with 1 when a request was lost that nobody killed, or when something grew.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { seededRandom } from "../helpers/random.ts";
import { ask, type LogLine, type Running, until } from "../helpers/start-runner.ts";
import { EVERYONE, type Load, startLoad } from "./load.ts";
import { type Program, readyPids, replace, restart, startProgram } from "./program.ts";
import { type Sample, sampleOf } from "./resources.ts";
import { sentence, summary } from "./verdict.ts";
import type { Failure } from "./clients/journal.ts";

const INSTANCES = 3;
/** The descriptors, threads and memory are compared from here on: caches have been filled, code has been compiled. */
const WARM_UP = 0.2;
/** What the supervisor's memory may grow by between the first and the last third. */
const GROWTH = 1.15;
const SEEN_WITHIN_MS = 1500;
/** Boots while the load has both cores: only a ceiling. */
const READY_MS = 60_000;

/** What is done to the program, and what a deed must lead to. */
const DEEDS: Readonly<Record<string, Deed>> = {
  async restart({ program }) {
    expectOutcome(await restart(program.runner), "done");
  },
  async "restart with bad code"({ program, badCode }) {
    writeFileSync(badCode, "");
    expectOutcome(await restart(program.runner), "failed");
    rmSync(badCode);
  },
  async "kill -9"({ program, killed }, pid) {
    killed.set(pid, Date.now());
    process.kill(pid, "SIGKILL");
    await program.runner.event("instance-exited", { pid });
  },
  async "stalled loop"({ program, random }) {
    await ask(`${program.target.origin}/block?ms=${Math.round(500 + 2000 * random())}`);
  },
  async SIGSTOP({ random }, pid) {
    process.kill(pid, "SIGSTOP");
    await delay(500 + 2000 * random());
    process.kill(pid, "SIGCONT");
  },
  async "SIGTERM to an instance"({ program }, pid) {
    await replace(program.runner, pid);
  },
  async "uncaught error"({ program }) {
    const ready = program.runner.events("instance-ready").length;
    await ask(`${program.target.origin}/throw`);
    await program.runner.eventCount("instance-ready", ready + 1, READY_MS);
  },
  async "scale up and down"({ program: { runner } }) {
    const ready = runner.events("instance-ready").length;
    process.kill(runner.pid, "SIGTTIN");
    await runner.eventCount("instance-ready", ready + 1, READY_MS);
    const scaled = runner.events("scaled").length;
    process.kill(runner.pid, "SIGTTOU");
    await runner.eventCount("scaled", scaled + 1);
  },
  async "control socket"({ program: { runner } }) {
    const socketPath = path.join(runner.runtime, "choir", "soak.sock");
    const answers = Array.from({ length: 20 }, () => ask("http://localhost/v1/status", { socketPath }));
    for (const { status } of await Promise.all(answers)) if (status !== 200) throw new Error(`Status ${status}`);
  },
};

type Deed = (soak: Soak, pid: number) => Promise<void>;

interface Soak {
  readonly program: Program;
  readonly random: () => number;
  readonly done: Map<string, number>;
  /** While this file is there, new code fails. */
  readonly badCode: string;
  /** By pid, when it was killed. */
  readonly killed: Map<number, number>;
}

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "30" }, seed: { type: "string", default: "1" } },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
if (!(minutes > 0) || !Number.isInteger(seed)) throw new Error("Usage: npm run soak -- --minutes 30 [--seed 1]");
process.exitCode = (await soak()) ? 0 : 1;

async function soak(): Promise<boolean> {
  const app = path.resolve("test/zero-loss/apps/soak.mjs");
  const folder = mkdtempSync(path.join(tmpdir(), "choir-soak-"));
  const badCode = path.join(folder, "bad-code");
  const args = ["--canary-time", "500ms", "--max-age", "20s"];
  const program = await startProgram("HTTP/1.1", { app, instances: INSTANCES, args, env: { SOAK_BAD_CODE: badCode } });
  await using runner = program.runner;
  const load = startLoad(program.target, EVERYONE, seed);
  const soak: Soak = { program, random: seededRandom(seed), done: new Map(), badCode, killed: new Map() };
  const samples = await untilOver(soak);
  await load.stop();
  const lost = load.journal.failures.filter((failure) => !wasInFlight(soak, failure));
  const endedBadly = await stop(runner);
  rmSync(folder, { recursive: true });
  const grown = growth(samples);
  console.log(report(soak, { load, lost, samples, grown, endedBadly }));
  return lost.length === 0 && grown.length === 0 && endedBadly === undefined;
}

/** One deed after the other, and a look at the program between them. */
async function untilOver(soak: Soak): Promise<Sample[]> {
  const { program, random, done } = soak;
  const { runner } = program;
  const names = Object.keys(DEEDS);
  const samples: Sample[] = [];
  const end = performance.now() + minutes * 60_000;
  while (performance.now() < end) {
    await until(() => readyPids(runner).length === INSTANCES, "all instances", READY_MS);
    const ready = readyPids(runner);
    const name = names[Math.floor(random() * names.length)]!;
    await DEEDS[name]!(soak, ready[Math.floor(random() * ready.length)]!);
    done.set(name, (done.get(name) ?? 0) + 1);
    await delay(1000 + 2000 * random());
    if (await settled(runner)) samples.push(sampleOf(runner.pid, readyPids(runner)));
  }
  return samples;
}

function expectOutcome(finished: LogLine, outcome: string): void {
  if (finished["outcome"] !== outcome) throw new Error(`A restart ended so: ${JSON.stringify(finished)}`);
}

/** Whether the old ones have drained soon enough to be compared: else the next deed comes first. */
async function settled(runner: Running): Promise<boolean> {
  const isSettled = (): boolean => runner.survivors().length === INSTANCES && readyPids(runner).length === INSTANCES;
  return until(isSettled, "drains", 12_000).then(
    () => true,
    () => false,
  );
}

function wasInFlight({ killed }: Soak, { at, hung, what, pid }: Failure): boolean {
  if (hung || what.includes("ECONNREFUSED") || (pid !== undefined && !killed.has(pid))) return false;
  return [...killed.values()].some((time) => at >= time && at - time < SEEN_WITHIN_MS);
}

/** How the program ended, in words, when it was not with 0 and nothing left. */
async function stop(runner: Running): Promise<string | undefined> {
  const { code, signal } = await runner.stop();
  const left = runner.survivors();
  if (code === 0 && left.length === 0) return undefined;
  return `exit code ${code}, signal ${signal}, processes left: ${left.join(", ") || "none"}`;
}

/** What is higher at the end than it was: medians of the first and the last third after the warm-up. */
function growth(samples: readonly Sample[]): string[] {
  const warm = samples.slice(Math.ceil(samples.length * WARM_UP));
  const third = Math.floor(warm.length / 3);
  if (third < 2) return [];
  const [first, last] = [warm.slice(0, third), warm.slice(-third)];
  const before = (key: keyof Sample): number => median(first.map((sample) => sample[key]));
  const after = (key: keyof Sample): number => median(last.map((sample) => sample[key]));
  return (
    ["supervisorFds", "supervisorThreads", "supervisorChildren", "instanceFds", "supervisorRss", "instanceRss"] as const
  )
    .filter((key) => after(key) > before(key) * (key.endsWith("Fds") ? 1.5 : GROWTH))
    .map((key) => `${key}: ${before(key)} → ${after(key)}`);
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

interface Findings {
  readonly load: Load;
  readonly lost: readonly Failure[];
  readonly samples: readonly Sample[];
  readonly grown: readonly string[];
  readonly endedBadly: string | undefined;
}

function report(soak: Soak, { load, lost, samples, grown, endedBadly }: Findings): string {
  const { lines } = soak.program.runner;
  const recycled = soak.program.runner.events("instance-recycled").length;
  const row = (name: string, key: keyof Sample): string => {
    const all = samples.map((sample) => sample[key]);
    return `| ${name} | ${all[0]} | ${median(all)} | ${all.at(-1)} | ${Math.max(...all)} |`;
  };
  return [
    `## ${minutes} minutes, ${INSTANCES} instances, Node ${process.version}, seed ${seed}`,
    "",
    `- Done: ${[...soak.done].map(([deed, times]) => `${deed} ${times}`).join(", ")}; recycled for its age ${recycled}`,
    `- Answered: ${load.journal.total()} (${summary(load)})`,
    `- Failed in flight on a killed instance: ${load.journal.failures.length - lost.length}`,
    `- Lost: ${lost.length}`,
    ...lost.slice(0, 20).map((failure) => `  - ${sentence(failure, lines)}`),
    `- Ended with 0 and left nothing: ${endedBadly === undefined ? "yes" : `no: ${endedBadly}`}`,
    ...(endedBadly === undefined ? [] : lines.slice(-20).map((line) => `  - ${JSON.stringify(line)}`)),
    `- Grown: ${grown.length === 0 ? "nothing" : grown.join(", ")}`,
    "",
    `| ${samples.length} samples | first | median | last | highest |`,
    "| --- | ---: | ---: | ---: | ---: |",
    row("supervisor, RSS in MB", "supervisorRss"),
    row("supervisor, descriptors", "supervisorFds"),
    row("supervisor, threads", "supervisorThreads"),
    row("supervisor, processes below it", "supervisorChildren"),
    row("instances, mean RSS in MB", "instanceRss"),
    row("instances, mean descriptors", "instanceFds"),
  ].join("\n");
}
