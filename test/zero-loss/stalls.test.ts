/** R12 and R13: an instance whose loop is blocked, or whose process is stopped, delays its own requests and nobody else's. */
import { describe, expect, test } from "vitest";
import { ask, until } from "../helpers/start-runner.ts";
import { EVERYONE, startLoad } from "./load.ts";
import { answers, readyPids, startProgram } from "./program.ts";
import { expectNoLoss } from "./verdict.ts";

const STALL_MS = 3000;
const ASKING = 4;

/** Asks on new connections until told to stop; gives what each answer took, in milliseconds. */
function measure(url: string): () => Promise<number[]> {
  const took: number[] = [];
  const over = new AbortController();
  const client = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const from = performance.now();
      await ask(url);
      took.push(performance.now() - from);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  const clients = Array.from({ length: ASKING }, client);
  return async () => {
    over.abort();
    await Promise.all(clients);
    return took;
  };
}

const percentile99 = (times: number[]): number => times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? 0;
const passed = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe.each(["blocked", "stopped"] as const)("an instance that is %s for a while", (how) => {
  async function stall(url: string, pid: number): Promise<void> {
    if (how === "blocked") {
      await ask(`${url}/block?ms=${STALL_MS}`);
      return;
    }
    process.kill(pid, "SIGSTOP");
    await passed(STALL_MS);
    process.kill(pid, "SIGCONT");
  }

  test("leaves the others as fast as they were", async () => {
    const { runner, target } = await startProgram();
    await using _ = runner;
    const normal = measure(`${target.origin}/pid`);
    await passed(STALL_MS / 2);
    const before = percentile99(await normal());
    const stalling = stall(target.origin, readyPids(runner)[0]!);
    const others = measure(`${target.origin}/pid`);
    await stalling;
    const during = await others();
    expect(during.length).toBeGreaterThan(100);
    // Half of the service is left, on a machine that others use too.
    expect(percentile99(during)).toBeLessThan(Math.max(10 * before, 100));
    expect(percentile99(during)).toBeLessThan(STALL_MS / 4);
  });

  test("loses nothing", async () => {
    const { runner, target } = await startProgram();
    await using _ = runner;
    const load = startLoad(target, EVERYONE, 5);
    await answers(load, 300);
    await stall(target.origin, readyPids(runner)[0]!);
    await answers(load, 500);
    await load.stop();
    expectNoLoss(load, runner);
    await until(() => readyPids(runner).length === 2, "both instances");
    expect(runner.events("instance-exited")).toEqual([]);
  });
});
