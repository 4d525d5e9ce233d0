/** choir/instance in a process that no supervisor started: it works by itself, and lets the process end as it would. */
import { describe, expect, it } from "vitest";
import { startRunner } from "../helpers/start-runner.ts";

const start = (mode: string) => startRunner("alone.mjs", { bare: true, args: [mode] });

describe("without a supervisor", () => {
  it("is instance 0 of 1, hears nothing of itself but what is retained, and holds no process", async () => {
    await using script = start("ends");
    expect(await script.exit()).toEqual({ code: 0, signal: null });
    const [state] = script.lines.filter((line) => line.msg === "state");
    expect(state).toMatchObject({
      level: 30,
      heard: [],
      late: [{ value: "last", retained: true }],
      info: { id: 0, name: "app", concurrency: 1, generation: 0, restarts: 0, pid: script.pid },
    });
    expect(state!["keys"]).toEqual(["id", "uid", "generation", "pid", "name", "concurrency", "startedAt", "restarts"]);
    expect(script.stderr).toBe("");
  });

  it.each(["SIGTERM", "SIGINT"] as const)(
    "%s runs the hooks, last registered first, and then ends it",
    async (signal) => {
      await using script = start("hooks");
      await script.line((line) => line.msg === "waits", "the script to wait");
      script.child.kill(signal);
      expect(await script.exit()).toEqual({ code: null, signal });
      const after = script.lines.slice(script.lines.findIndex((line) => line.msg === "waits") + 1);
      expect(after).toMatchObject([
        { msg: "last registered" },
        { level: 50, msg: "A shutdown hook failed", err: { message: "the hook failed" } },
        { msg: "first registered" },
      ]);
    },
  );

  it("a second signal ends it although a hook never does", async () => {
    await using script = start("stuck");
    await script.line((line) => line.msg === "waits", "the script to wait");
    script.child.kill("SIGTERM");
    await script.line((line) => line.msg === "stuck", "the hook to run");
    script.child.kill("SIGTERM");
    expect(await script.exit()).toEqual({ code: null, signal: "SIGTERM" });
    expect(script.lines.filter((line) => line.msg === "last registered")).toEqual([]);
  });
});
