/** Hooks of the app that throw or never come back: said with its cause, and never longer than the deadlines. */
import { describe, expect, it } from "vitest";
import { ask, type Running, startRunner } from "../helpers/start-runner.ts";

function start(fault: string): Running {
  return startRunner("faulty-hooks.mjs", {
    env: { FAULT: fault },
    args: ["--start-timeout", "8s", "--shutdown-timeout", "4s"],
  });
}

describe("a start-up hook", () => {
  it("that throws is a failed start, with its stack", async () => {
    await using runner = start("startup throws");
    expect(await runner.event("instance-start-failed")).toMatchObject({
      error: "the startup hook is broken",
      stack: expect.stringContaining("faulty-hooks.mjs"),
    });
    expect(await runner.stop()).toMatchObject({ code: 0 });
  });

  it("that never comes back ends at --start-timeout, and is named as a reason", async () => {
    await using runner = start("startup hangs");
    expect(await runner.exit()).toEqual({ code: 69, signal: null });
    expect(runner.stderr).toMatch(/--start-timeout: .*start-up hook did not return/);
  });
});

describe("at the end of an instance", () => {
  async function stopped(fault: string, code: number): Promise<Running> {
    const runner = start(fault);
    expect((await ask(await runner.ready(1))).body).toBe("served");
    expect(await runner.stop(), runner.transcript()).toEqual({ code, signal: null });
    return runner;
  }

  it("a shutdown hook that throws is logged", async () => {
    await using runner = await stopped("shutdown throws", 0);
    expect(runner.transcript()).toContain("the shutdown hook is broken");
  });

  it.each([
    ["shutdown hangs", "a shutdown hook does not come to its end"],
    ["onClose hangs", "the app's own close (Fastify: onClose and preClose hooks) does not come to its end"],
  ])("%s: killed at --shutdown-timeout, with what hangs in the log", async (fault, says) => {
    await using runner = await stopped(fault, 1);
    expect(runner.events("instance-killed")).toHaveLength(1);
    expect(runner.lines.find(({ level, msg }) => level === 40 && msg?.includes(says))).toMatchObject({ instance: 0 });
  });

  it("an onClose hook that throws is logged, and the shutdown hooks run", async () => {
    await using runner = await stopped("onClose throws", 0);
    expect(runner.transcript()).toContain("the onClose hook is broken");
    expect(runner.lines.map(({ msg }) => msg)).toContain("shutdown hook ran");
    expect(runner.events("instance-killed")).toEqual([]);
  });
});
