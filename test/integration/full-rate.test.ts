/** Messages at full rate, to one that cannot keep up as well: they cost the supervisor neither its duties nor its memory. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import type { Snapshot } from "../../src/supervisor/snapshot.ts";
import { runChoir } from "../helpers/run-choir.ts";
import { ask, startRunner, until } from "../helpers/start-runner.ts";

const MB = 1024 * 1024;
const UNRESPONSIVE_MS = 10_000;
const DEADLINE_MS = 60_000;

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}

it(
  "heartbeats arrive, a rolling restart is done, requests and commands are answered, and memory stays bounded",
  { timeout: 2 * DEADLINE_MS },
  async () => {
    await using runner = startRunner("full-rate.mjs", {
      instances: 3,
      args: ["--unresponsive-timeout", `${UNRESPONSIVE_MS}ms`, "--canary-time", "100ms"],
    });
    const url = await runner.ready(3);
    const before = residentBytes(runner.pid);
    let most = before;
    const watch = setInterval(() => (most = Math.max(most, residentBytes(runner.pid))), 50);
    try {
      await until(async () => (JSON.parse((await ask(url)).body) as { heard: number }).heard > 20_000, "a flood");
      process.kill(runner.pid, "SIGHUP");
      const finished = await runner.event("restart-finished", {}, DEADLINE_MS);
      expect(finished["outcome"]).toBe("done");
      const { stdout } = await runChoir(["status", "--json"], runner.runtime);
      const { slots } = JSON.parse(stdout) as Snapshot;
      const ready = slots.flatMap(({ instances }) => instances.filter(({ state }) => state === "ready"));
      expect(ready).toHaveLength(3);
      for (const { heardMs } of ready) expect(heardMs).toBeLessThan(UNRESPONSIVE_MS);
    } finally {
      clearInterval(watch);
    }
    expect(runner.events("instance-unresponsive")).toEqual([]);
    expect(runner.events("pubsub-broken")).toEqual([]);
    // An outbox of 1 MB for each instance, what the pipes hold, and V8's slack; a leak of the flood would be hundreds of MB.
    expect(most - before).toBeLessThan(150 * MB);
    expect(await runner.stop()).toEqual({ code: 0, signal: null });
  },
);
