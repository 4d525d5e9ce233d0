/** One line of log from the app to the console: none lost before an exit, none forged, an error with its stack one record. */
import { describe, expect, it } from "vitest";
import { ask, startRunner } from "../helpers/start-runner.ts";

describe("console log", () => {
  it.each(["console", "stderr", "logger"])(
    "20,000 lines by %s and then process.exit(1): 20,000 lines arrive",
    async (how) => {
      await using runner = startRunner("floods.mjs", { instances: 1 });
      const url = await runner.ready(1);
      await ask(`${url}/flood/${how}`).catch(() => {});
      await runner.event("instance-exited");
      await runner.stop();
      const numbers = runner.lines
        .filter((line) => line.msg?.startsWith("flood"))
        .map((line) => (how === "logger" ? line["n"] : Number(line.msg!.slice("flood ".length))));
      expect(numbers).toEqual(Array.from({ length: 20_000 }, (_, n) => n));
    },
  );

  it("keeps the app's levels and fields, adds ours last, and lets nothing be forged", async () => {
    await using runner = startRunner("writes-logs.mjs");
    const url = await runner.ready(1);
    await ask(`${url}/log`);
    await runner.stop();
    const of = (text: string) => runner.lines.filter((line) => JSON.stringify(line).includes(text));
    expect(of("from the logger")).toMatchObject([
      { level: 40, answer: 42, name: "writes-logs", instance: 0, generation: 0 },
    ]);
    expect(of("from the request")).toMatchObject([{ level: 50, err: { type: "TypeError" } }]);
    expect(of("from console.log")).toMatchObject([{ level: 30, msg: "from console.log", instance: 0 }]);
    const errors = of("from console.error");
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({
      level: 50,
      msg: expect.stringMatching(/^RangeError: from console\.error\n\s+at /),
    });
    expect(of("forged")).toMatchObject([{ level: 30, msg: "forged", name: "writes-logs", instance: 0 }]);
    expect(of("not valid JSON")).toMatchObject([{ level: 30, msg: '{"level":60,"msg":"not valid JSON"' }]);
    for (const line of runner.lines) {
      expect(line).toMatchObject({ level: expect.any(Number), time: expect.any(Number), name: "writes-logs" });
    }
    expect(runner.text).toEqual([]);
  });

  it("pretty lines carry time, level, name and instance, with control bytes escaped", async () => {
    await using runner = startRunner("writes-logs.mjs", {
      bare: true,
      args: ["-p", "0", "-j", "1", "--log-format", "pretty"],
    });
    const url = await new Promise<string>((resolve) => {
      const timer = setInterval(() => {
        const found = /http:\/\/[\d.:]+/.exec(runner.text.find((line) => line.includes("Instance 0")) ?? "")?.[0];
        if (found === undefined) return;
        clearInterval(timer);
        resolve(found);
      }, 10);
    });
    await ask(`${url}/log`);
    await runner.stop();
    const text = runner.text.join("\n");
    expect(text).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} WARN +\[writes-logs#0\] from the logger.*answer.*42/m);
    expect(text).toMatch(
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} ERROR +\[writes-logs#0\] RangeError: from console\.error\n\s+at /m,
    );
    expect(text).not.toContain("\u001b");
    expect(text).not.toContain("\u0007");
    expect(text).toContain("red");
  });

  it("--quiet prints nothing, and a fatal start still says why on stderr", async () => {
    await using quiet = startRunner("writes-logs.mjs", { args: ["--quiet", "-a", "unix:app.sock"] });
    const { existsSync } = await import("node:fs");
    const { until } = await import("../helpers/start-runner.ts");
    await until(async () => {
      if (!existsSync(`${quiet.temp}/app.sock`)) return false;
      return ask("http://localhost/log", { socketPath: `${quiet.temp}/app.sock` }).then(
        () => true,
        () => false,
      );
    }, "an answer");
    expect(await quiet.stop()).toEqual({ code: 0, signal: null });
    expect(quiet.lines).toEqual([]);
    expect(quiet.text).toEqual([]);
    expect(quiet.stderr).toBe("");

    await using failing = startRunner("throws-on-start.mjs", { args: ["--quiet"] });
    expect(await failing.exit()).toEqual({ code: 69, signal: null });
    expect(failing.lines).toEqual([]);
    expect(failing.stderr).toContain("the database is not there");
  });
});
