/** R12 and R13: an instance whose loop is blocked, or whose process is stopped, delays its own requests and nobody else's. */
import { describe, expect, test } from "vitest";
import { ask, type Running, until } from "../helpers/start-runner.ts";
import type { Failure } from "./clients/journal.ts";
import { EVERYONE, startLoad } from "./load.ts";
import { answers, readyPids, startProgram } from "./program.ts";
import { expectNoLoss } from "./verdict.ts";

const STALL_MS = 3000;
const FOR_EVER_MS = 60_000;
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
  /** Resolves when it has begun, with its end: what an instance had accepted before waits with it. */
  async function stall(runner: Running, url: string): Promise<{ over: Promise<void> }> {
    if (how === "blocked") {
      const over = ask(`${url}/block?ms=${STALL_MS}`).then(() => {});
      await runner.line((line) => line.msg === "blocking", "the loop to be blocked");
      return { over };
    }
    const [pid] = readyPids(runner);
    process.kill(pid!, "SIGSTOP");
    return { over: passed(STALL_MS).then(() => void process.kill(pid!, "SIGCONT")) };
  }

  test("leaves the others as fast as they were", async () => {
    const { runner, target } = await startProgram();
    await using _ = runner;
    const normal = measure(`${target.origin}/pid`);
    await passed(STALL_MS / 2);
    const before = percentile99(await normal());
    const { over } = await stall(runner, target.origin);
    const others = measure(`${target.origin}/pid`);
    await over;
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
    await (
      await stall(runner, target.origin)
    ).over;
    await answers(load, 500);
    await load.stop();
    expectNoLoss(load, runner);
    await until(() => readyPids(runner).length === 2, "both instances");
    expect(runner.events("instance-exited")).toEqual([]);
  });
});

describe.each(["blocked", "stopped"] as const)("an instance that is %s for ever", (how) => {
  test("is killed and replaced; only what was in flight on it fails", async () => {
    const { runner, target } = await startProgram("HTTP/1.1", { args: ["--unresponsive-timeout", "2s"] });
    await using _ = runner;
    const load = startLoad(target, EVERYONE, 12);
    await answers(load, 300);
    const [pid] = readyPids(runner);
    if (how === "stopped") process.kill(pid!, "SIGSTOP");
    else await ask(`${target.origin}/block?ms=${FOR_EVER_MS}`).catch(() => {});
    const unresponsive = await runner.event("instance-unresponsive");
    const exited = await runner.event("instance-exited", { pid: unresponsive.pid });
    expect(exited).toMatchObject({ reason: "unresponsive", signal: "SIGKILL" });
    if (how === "blocked") expect(JSON.stringify(unresponsive["stack"])).toContain("configure-everything.mjs");
    else expect(unresponsive).toMatchObject({ pid });
    await answers(load, 500);
    await load.stop();
    const onIt = (failure: Failure): boolean =>
      !failure.hung &&
      !failure.what.includes("ECONNREFUSED") &&
      (failure.pid === undefined || failure.pid === unresponsive.pid) &&
      Math.abs(failure.at - exited.time) < 1000;
    expectNoLoss(load, runner, { except: onIt });
    expect(runner.events("instance-unresponsive")).toHaveLength(1);
  });
});
