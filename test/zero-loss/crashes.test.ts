/** R10 and R14: instances killed under load cost what was in flight on them, and a crash loop does not fill the log. */
import { expect, test } from "vitest";
import { seededRandom } from "../helpers/random.ts";
import { fileURLToPath } from "node:url";
import { until } from "../helpers/start-runner.ts";
import type { Failure } from "./clients/journal.ts";
import { EVERYONE, startLoad } from "./load.ts";
import { answers, readyPids, startProgram } from "./program.ts";
import { expectNoLoss } from "./verdict.ts";

const KILLS = 8;
const SEED = 4;
/** Clients see the end of their connections at once; this is for a machine that is busy otherwise. */
const SEEN_WITHIN_MS = 1000;

test("a random instance killed each second: only what was in flight on it fails, none is refused, none hangs", async () => {
  const { runner, target } = await startProgram("HTTP/1.1", { instances: 3 });
  await using _ = runner;
  const load = startLoad(target, EVERYONE, SEED);
  const random = seededRandom(SEED);
  const killed = new Map<number, number>();
  for (let n = 0; n < KILLS; n++) {
    const from = performance.now();
    await answers(load, 100);
    await until(() => readyPids(runner).length > 0 && performance.now() - from > 1000, "a ready instance");
    const ready = readyPids(runner);
    const pid = ready[Math.floor(random() * ready.length)]!;
    killed.set(pid, Date.now());
    process.kill(pid, "SIGKILL");
    await runner.event("instance-exited", { pid });
  }
  await answers(load, 500);
  await load.stop();
  const inFlight = ({ pid, at, hung, what }: Failure): boolean =>
    !hung &&
    !what.includes("ECONNREFUSED") &&
    (pid === undefined || killed.has(pid)) &&
    [...killed.values()].some((time) => at >= time && at - time < SEEN_WITHIN_MS);
  const connections = EVERYONE.reduce((sum, { count }) => sum + count, 0);
  expectNoLoss(load, runner, { except: inFlight, atMost: KILLS * connections });
  expect(load.journal.failures.length).toBeGreaterThan(0);
});

test("a crash loop writes a few lines for each exit and no more", async () => {
  const app = fileURLToPath(new URL("../fixtures/apps/crash-loop.mjs", import.meta.url));
  const { runner } = await startProgram("HTTP/1.1", { app });
  await using _ = runner;
  const exits = await runner.eventCount("instance-exited", 10);
  expect(runner.lines.length + runner.text.length).toBeLessThanOrEqual(2 * exits.length + 6);
  expect(runner.stderr).toBe("");
});
