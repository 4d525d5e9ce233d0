/** Logs that nobody reads: the supervisor's memory stays bounded, and what follows is as --log-overflow says. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import type { Snapshot } from "../../src/supervisor/snapshot.ts";
import { runChoir } from "../helpers/run-choir.ts";
import { ask, type Running, startRunner, until } from "../helpers/start-runner.ts";

const LINE_BYTES = 1000;

interface Flood {
  readonly runner: Running;
  /** Bytes that all instances have written. */
  readonly written: () => number;
  /** Bytes that the supervisor has more in memory than at the beginning, at most so far. */
  readonly growth: () => number;
}

async function flood(args: readonly string[], instances = 2): Promise<Flood> {
  const runner = startRunner("floods-endlessly.mjs", {
    instances,
    args,
    env: { PROGRESS_FOLDER: "." },
  });
  await until(() => numbersIn(runner.folder).length === instances, "writers");
  const before = memoryOf(runner.pid, "VmRSS");
  return {
    runner,
    written: () => LINE_BYTES * numbersIn(runner.folder).reduce((sum, lines) => sum + lines, 0),
    growth: () => memoryOf(runner.pid, "VmHWM") - before,
  };
}

/** What the instances have noted. */
function numbersIn(folder: string): number[] {
  return readdirSync(folder)
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readFileSync(path.join(folder, name)))
    .flatMap((bytes) => (bytes.length === 4 ? [bytes.readUInt32LE()] : []));
}

function memoryOf(pid: number, field: string): number {
  const [, kilobytes] =
    new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}

/** Waits until nothing more is written for a second, by as many looks. */
async function standstill(written: () => number): Promise<void> {
  let last = -1;
  let same = 0;
  await until(async () => {
    await new Promise((resolve) => setTimeout(resolve, 100));
    same = written() === last ? same + 1 : 0;
    last = written();
    return same >= 10;
  }, "the writers to stand still");
}

it("block: the app waits, is not taken for unresponsive, and nothing is lost when somebody reads again", async () => {
  const { runner, written, growth } = await flood(["--unresponsive-timeout", "1s"]);
  await using _ = runner;
  runner.child.stdout!.pause();
  await standstill(written);
  const stoodAt = written();
  // That nothing happens in: longer than an instance may be silent, three times over.
  await new Promise((resolve) => setTimeout(resolve, 4000));
  expect(written()).toBe(stoodAt);
  expect(stoodAt).toBeLessThan(32e6);
  console.log(`The supervisor grew by ${Math.round(growth() / 1e6)} MB`);
  expect(growth()).toBeLessThan(64e6);
  runner.child.stdout!.resume();
  await until(() => written() > stoodAt + 10e6, "the writers to go on");
  await runner.stop();
  expect(runner.events("instance-unresponsive")).toEqual([]);
  expect(runner.events("log-lines-lost")).toEqual([]);
  for (const instance of [0, 1]) {
    const numbers = runner.lines.filter((line) => line.instance === instance && "n" in line).map((line) => line["n"]);
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_line, n) => n));
  }
  const lines = runner.lines.filter((line) => "n" in line).length;
  // Those of the last turn of an instance are not noted any more.
  expect(lines * LINE_BYTES).toBeGreaterThanOrEqual(written());
});

it("drop: the app goes on, whole lines are left out and counted", async () => {
  const { runner, written, growth } = await flood(["--log-overflow", "drop"]);
  await using _ = runner;
  runner.child.stdout!.pause();
  const before = written();
  await until(() => written() > before + 200e6, "the writers to write 200 MB more", 60_000);
  console.log(`The supervisor grew by ${Math.round(growth() / 1e6)} MB`);
  expect(growth()).toBeLessThan(64e6);
  runner.child.stdout!.resume();
  const { lines: lost } = (await runner.event("log-lines-lost")) as unknown as { lines: number };
  const { stdout } = await runChoir(["status", "--json"], runner.runtime);
  const { logs } = JSON.parse(stdout) as Snapshot;
  expect(logs?.lost["console"]).toBeGreaterThanOrEqual(lost);
  expect(logs?.writtenBytes["console"]).toBeGreaterThan(LINE_BYTES);
  await runner.stop();
  const allLost = runner.events("log-lines-lost").reduce((sum, event) => sum + Number(event["lines"]), 0);
  expect(lost).toBeGreaterThan(50_000);
  expect(runner.text).toEqual([]);
  const lines = runner.lines.filter((line) => "n" in line).length;
  expect((lines + allLost) * LINE_BYTES).toBeGreaterThanOrEqual(written());
});

it("the pump at full rate into a rotating file starves neither heartbeats, nor messages, nor commands", async () => {
  const { runner, written } = await flood(
    [
      "--quiet",
      "--unresponsive-timeout",
      "4s",
      "--log-file",
      "logs/%name.log",
      "--log-rotate-size",
      "5MB",
      "--log-keep",
      "3",
    ],
    2,
  );
  await using _ = runner;
  await until(() => written() > 100e6, "100 MB", 60_000);
  const { stdout } = await runChoir(["status", "--json"], runner.runtime);
  const snapshot = JSON.parse(stdout) as Snapshot;
  expect(snapshot.logs?.writtenBytes[path.join(runner.folder, "logs/floods.log")]).toBeGreaterThan(50e6);
  expect(snapshot.slots).toMatchObject([{ restarts: 0 }, { restarts: 0 }]);
  const { body } = await ask(`${snapshot.urls[0]}/slowest`);
  const { slowest, echoes } = JSON.parse(body) as { slowest: number; echoes: number };
  console.log(`Messages took at most ${Math.round(slowest)} ms`);
  expect(echoes).toBeGreaterThan(10);
  expect(slowest).toBeLessThan(4000);
  expect(await runner.stop()).toMatchObject({ code: 0 });
  expect(runner.stderr).toBe("");
});
