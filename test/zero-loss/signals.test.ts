/** R9: signals that come while others are being obeyed, under load. */
import { describe, expect, test } from "vitest";
import { type Running, until } from "../helpers/start-runner.ts";
import { EVERYONE, KEEP_ALIVE, NEW_CONNECTION, PIPELINING, startLoad } from "./load.ts";
import { answers, readyPids, restart, startProgram } from "./program.ts";
import { descriptors } from "./resources.ts";
import { expectNoLoss } from "./verdict.ts";
import { afterTheEnd } from "./end-of-service.ts";

const QUICK = ["--canary-time", "100ms"];
const STORM = 100;
/** Nothing under way for as long as this means that nothing is going to be. */
const SETTLED_MS = 500;

/** Waits until every rolling restart has ended, and each process but the serving ones. */
async function settled(runner: Running): Promise<void> {
  let since = performance.now();
  await until(
    () => {
      const running = runner.events("restart-started").length !== runner.events("restart-finished").length;
      if (running || runner.survivors().length !== readyPids(runner).length) since = performance.now();
      return performance.now() - since > SETTLED_MS;
    },
    "the end of all restarts and drains",
    45_000,
  );
}

test(`SIGHUP ${STORM} times: no request lost, no descriptor left open, and few restarts`, async () => {
  const { runner, target } = await startProgram("HTTP/1.1", { args: QUICK });
  await using _ = runner;
  expect(await restart(runner)).toMatchObject({ outcome: "done" });
  await settled(runner);
  const before = descriptors(runner.pid);
  const load = startLoad(target, EVERYONE, 8);
  await answers(load, 200);
  for (let n = 0; n < STORM; n++) {
    process.kill(runner.pid, "SIGHUP");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await runner.eventCount("restart-finished", 3);
  await answers(load, 200);
  await load.stop();
  await settled(runner);
  expectNoLoss(load, runner);
  expect(descriptors(runner.pid)).toBe(before);
  const finished = runner.events("restart-finished");
  expect(finished.every((line) => line["outcome"] === "done")).toBe(true);
  expect(finished.length).toBeLessThan(STORM / 4);
  expect(readyPids(runner)).toHaveLength(2);
});

test("one more and one fewer instance while a restart runs", async () => {
  const { runner, target } = await startProgram("HTTP/1.1", { args: QUICK });
  await using _ = runner;
  const load = startLoad(target, EVERYONE, 9);
  await answers(load, 200);
  const restarted = restart(runner);
  await runner.event("restart-started");
  process.kill(runner.pid, "SIGTTIN");
  expect(await restarted).toMatchObject({ outcome: "done" });
  await runner.event("instance-ready", { instance: 2 });
  const again = restart(runner);
  await runner.eventCount("restart-started", 2);
  process.kill(runner.pid, "SIGTTOU");
  expect(await again).toMatchObject({ outcome: "done" });
  await runner.event("instance-exited", { instance: 2, generation: 2 });
  await answers(load, 200);
  await load.stop();
  expectNoLoss(load, runner);
  expect(runner.events("instance-exited").every((line) => line["reason"] === "asked")).toBe(true);
});

describe("a stop", () => {
  const moments: Record<string, (runner: Running) => Promise<unknown>> = {
    "when a restart begins": (runner) => runner.event("restart-started"),
    "while the canary is watched": (runner) => runner.event("instance-ready", { generation: 1 }),
    "while the first old instance drains": (runner) => runner.eventCount("instance-ready", 4),
  };

  test.each(Object.keys(moments))("%s wins, and costs no request", async (moment) => {
    const { runner, target } = await startProgram("HTTP/1.1", { args: ["--canary-time", "1s"] });
    await using _ = runner;
    const load = startLoad(target, [KEEP_ALIVE, NEW_CONNECTION, PIPELINING], 10);
    await answers(load, 500);
    process.kill(runner.pid, "SIGHUP");
    await moments[moment]!(runner);
    // As a terminal and npm may send it: twice within a moment.
    process.kill(runner.pid, "SIGINT");
    process.kill(runner.pid, "SIGTERM");
    expect(await runner.exit()).toEqual({ code: 0, signal: null });
    await load.stop();
    expectNoLoss(load, runner, afterTheEnd(load));
  });
});
