/** R8: new code that cannot serve. The old generation goes on, nothing is lost, and good code after it is rolled out. */
import { expect, test } from "vitest";
import { ask, type Running } from "../helpers/start-runner.ts";
import type { Failure } from "./clients/journal.ts";
import { badCode, Deployment, goodCode } from "./deployment.ts";
import { KEEP_ALIVE, KEEP_ALIVE_SLOW, NEW_CONNECTION, startLoad, WEB_SOCKET } from "./load.ts";
import { answers, readyPids, restart, startProgram } from "./program.ts";
import { expectNoLoss } from "./verdict.ts";

const CROWDS = [KEEP_ALIVE, KEEP_ALIVE_SLOW, NEW_CONNECTION, WEB_SOCKET];
/** The heap's limit is for the one that exhausts it. */
const START = {
  execArgv: ["--max-old-space-size=96"],
  args: ["--canary-time", "2s", "--start-timeout", "8s"],
};

const BAD: readonly { name: string; code: string; error: RegExp }[] = [
  { name: "throws at import", code: badCode({ atImport: 'throw new Error("bad import");' }), error: /bad import/ },
  { name: "is no JavaScript", code: "await (;", error: /Unexpected token/ },
  { name: "exits at import", code: badCode({ atImport: "process.exit(0);" }), error: /exit code 0/ },
  {
    name: "throws in configureServer",
    code: badCode({ inConfigure: 'throw new Error("bad configure");' }),
    error: /bad configure/,
  },
  { name: "never listens", code: badCode({ inConfigure: "await new Promise(() => {});" }), error: /--start-timeout/ },
  { name: "blocks its loop at the start", code: badCode({ inConfigure: "for (;;);" }), error: /--start-timeout/ },
  {
    name: "listens, then dies in a second",
    code: badCode({ inConfigure: "setTimeout(() => process.exit(9), 1000);" }),
    error: /exit code 9/,
  },
  {
    name: "exhausts its memory at the start",
    code: badCode({
      inConfigure: "const all = []; for (;;) all.push(new Array(1e6).fill(all.length));",
    }),
    error: /SIGABRT|SIGTRAP|memory/i,
  },
  {
    name: "wants an address that is in use",
    code: badCode({
      inConfigure: `
        const { createServer } = await import("node:net");
        const taken = createServer().listen(0);
        const rival = createServer().listen(taken.address().port);
        await new Promise((_, reject) => rival.on("error", reject));`,
    }),
    error: /EADDRINUSE/,
  },
];

/** What was in flight on a newcomer that served and then ended itself: nobody can answer that. */
function onTheDying(runner: Running): (failure: Failure) => boolean {
  const served = new Set(runner.events("instance-ready").map(({ pid }) => pid));
  const deaths = runner.events("instance-exited").filter(({ pid, code }) => served.has(pid) && code === 9);
  return ({ at, hung, what, pid }) =>
    !hung &&
    !what.includes("ECONNREFUSED") &&
    deaths.some((death) => Math.abs(at - death.time) < 500 && (pid === undefined || pid === death.pid));
}

test("bad releases are taken back one after the other, then a good one is rolled out", async () => {
  const deployment = new Deployment();
  deployment.release(goodCode("first"));
  const { runner, target } = await startProgram("HTTP/1.1", { app: deployment.entry, ...START });
  await using _ = runner;
  const load = startLoad(target, CROWDS, 6);
  await answers(load, 200);
  const old = readyPids(runner);
  for (const { name, code, error } of BAD) {
    deployment.release(code);
    const finished = await restart(runner);
    expect(finished, name).toMatchObject({ outcome: "failed", error: expect.stringMatching(error) });
    await answers(load, 200);
  }
  // None of them was touched, and a crash brings back the code that served, not the one that the link points at.
  const newcomers = runner.events("instance-exited").map((line) => line.pid);
  expect(old.filter((pid) => newcomers.includes(pid))).toEqual([]);
  expectNoLoss(load, runner, { except: onTheDying(runner) });
  const ready = runner.events("instance-ready").length;
  for (const pid of old) process.kill(pid, "SIGTERM");
  await runner.eventCount("instance-ready", ready + 2);
  expect((await ask(`${target.origin}/release`)).body).toBe("first");

  deployment.release(goodCode("second"));
  expect(await restart(runner)).toMatchObject({ outcome: "done" });
  await answers(load, 200);
  await load.stop();
  expect((await ask(`${target.origin}/release`)).body).toBe("second");
  expectNoLoss(load, runner, { except: onTheDying(runner) });
});

test("a file that is written over in place is taken back and rolled out as well", async () => {
  const deployment = new Deployment();
  deployment.release(goodCode("first"));
  const { runner, target } = await startProgram("HTTP/1.1", { app: deployment.entry, ...START });
  await using _ = runner;
  const load = startLoad(target, CROWDS, 7);
  deployment.overwrite(badCode({ atImport: 'throw new Error("bad import");' }));
  await answers(load, 200);
  expect(await restart(runner)).toMatchObject({ outcome: "failed", error: expect.stringContaining("bad import") });
  await answers(load, 200);
  deployment.overwrite(goodCode("second"));
  expect(await restart(runner)).toMatchObject({ outcome: "done" });
  await answers(load, 200);
  await load.stop();
  expect((await ask(`${target.origin}/release`)).body).toBe("second");
  expectNoLoss(load, runner);
});
