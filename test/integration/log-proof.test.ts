/**
 * The promise of docs/logs.md under everything at once: 4 instances that write as fast as they can, a hundred rotations a second, kill -9,
 * rolling restarts, SIGUSR2 and another program that renames. No line that its writer got written is missing, doubled or torn.
 *
 * One seed by default; LOG_PROOF_SECONDS=60 runs seeds for a minute, LOG_PROOF_SEED=n one of them again.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, it } from "vitest";
import { judgeLogs } from "../helpers/log-proof.ts";
import { seededRandom } from "../helpers/random.ts";
import { isAlive, type Running, startRunner, until } from "../helpers/start-runner.ts";

const SECONDS = Number(process.env["LOG_PROOF_SECONDS"] ?? 1);
const GIVEN_SEED = process.env["LOG_PROOF_SEED"];
/** How long chaos reigns for each seed, in milliseconds. */
const CHAOS_MS = 5000;

interface Plan {
  readonly args: readonly string[];
  /** How the files' names begin. */
  readonly stems: readonly string[];
}

function planFor(random: () => number, folder: string): Plan {
  const pick = <T>(...choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!;
  const perInstance = random() < 0.3;
  const apart = random() < 0.3;
  const stem = perInstance ? "%name-%instance" : "%name";
  const stems = perInstance ? ["numbers-0", "numbers-1", "numbers-2", "numbers-3"] : ["numbers"];
  return {
    args: [
      "--quiet",
      "--canary-time",
      "100ms",
      `--log-file=${path.join(folder, `${stem}.log`)}`,
      `--log-file-format=${pick("json", "json", "raw")}`,
      `--log-rotate-size=${perInstance ? "10kB" : pick("20kB", "40kB", "500kB")}`,
      ...(random() < 0.5 ? ["--log-compress"] : []),
      ...(random() < 0.3 ? ["--log-rotate-every", "1s"] : []),
      ...(apart ? ["--error-log-file", path.join(folder, `err-${stem}.log`)] : []),
    ],
    stems: [...stems, ...(apart ? stems.map((name) => `err-${name}`) : [])],
  };
}

/** What another program's rotation does: the file gets another name, and is told of. */
function renameAway(folder: string, stem: string, runner: Running): void {
  const from = path.join(folder, `${stem}.log`);
  if (!existsSync(from)) return;
  const time = new Date().toISOString().replaceAll(":", "-");
  renameSync(from, path.join(folder, `${stem}.${time.replace("Z", "Z-moved")}.log`));
  runner.child.kill("SIGUSR2");
}

async function wreakHavoc(random: () => number, act: Record<string, () => void>): Promise<void> {
  const names = Object.keys(act);
  const end = performance.now() + CHAOS_MS;
  while (performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 20 + random() * 400));
    act[names[Math.floor(random() * names.length)]!]!();
  }
}

async function prove(seed: number): Promise<{ lines: number; files: number; compressed: number; kills: number }> {
  const random = seededRandom(seed);
  const temp = mkdtempSync(path.join(tmpdir(), "choir-log-proof-"));
  const [folder, progress] = [path.join(temp, "logs"), path.join(temp, "progress")];
  mkdirSync(progress);
  const plan = planFor(random, folder);
  let kills = 0;
  try {
    await using runner = startRunner("writes-numbers.mjs", {
      instances: 4,
      args: plan.args,
      env: { PROGRESS_FOLDER: progress },
    });
    const writers = (): number[] => pidsIn(progress).filter(isAlive);
    await until(() => writers().length >= 4, "4 writers");
    await wreakHavoc(random, {
      kill() {
        const alive = writers();
        const pid = alive[Math.floor(random() * alive.length)];
        if (pid === undefined) return;
        process.kill(pid, "SIGKILL");
        kills += 1;
      },
      reopen: () => void runner.child.kill("SIGUSR2"),
      restart: () => void runner.child.kill("SIGHUP"),
      rename: () => renameAway(folder, plan.stems[Math.floor(random() * plan.stems.length)]!, runner),
    });
    const { code, signal } = await runner.stop();
    expect({ code, signal, stderr: runner.stderr }).toEqual({ code: 0, signal: null, stderr: "" });
    expect(pidsIn(progress).filter(isAlive)).toEqual([]);
    const verdict = judgeLogs(folder, plan.stems, progress);
    expect(verdict.faults, `seed ${seed}: ${plan.args.join(" ")}`).toEqual([]);
    expect(verdict.writers).toBeGreaterThan(4);
    rmSync(temp, { recursive: true, force: true });
    return { ...verdict, kills };
  } catch (error) {
    console.log(`Failed with LOG_PROOF_SEED=${seed}: ${plan.args.join(" ")}\nLogs kept in ${temp}`);
    throw error;
  }
}

function pidsIn(progress: string): number[] {
  return [...new Set(readdirSync(progress).map((name) => Number.parseInt(name, 10)))];
}

it(
  "loses, doubles and tears no line",
  async () => {
    const end = performance.now() + 1000 * SECONDS;
    let seed = GIVEN_SEED === undefined ? Date.now() % 1_000_000 : Number(GIVEN_SEED);
    for (let isLast = false; !isLast; seed += 1) {
      const { lines, files, compressed, kills } = await prove(seed);
      console.log(`seed ${seed}: ${lines} lines in ${files} files, ${compressed} of them compressed, ${kills} kills`);
      expect(lines).toBeGreaterThan(1000);
      isLast = GIVEN_SEED !== undefined || performance.now() >= end;
    }
  },
  120_000 + 1000 * SECONDS,
);
