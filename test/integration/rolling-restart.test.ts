/** Rolling restarts of real programs: new code found through a moved link, broken code taken back, sizes changed meanwhile. */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ask, type Running, startRunner, until } from "../helpers/start-runner.ts";

const CHOIR = fileURLToPath(new URL("../../dist/src/index.js", import.meta.url));
const FAST = ["--canary-time", "200ms"];

/** Writes a release of an app that answers with `body`, or does what `start` says. */
function release(folder: string, body: string, start = "", options = "{}"): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    path.join(folder, "main.mjs"),
    `import { Runner } from ${JSON.stringify(CHOIR)};
     await new Runner("deployed", (app) => {
       const inInstance = true;
       ${start}
       app.get("/", () => ${JSON.stringify(body)});
       app.get("/cwd", () => process.cwd());
     }, ${options}).run();`,
  );
}

/** Points the link somewhere else in one step, as deploy tools do. */
function deploy(link: string, folder: string): void {
  symlinkSync(folder, `${link}.next`);
  renameSync(`${link}.next`, link);
}

async function restart(runner: Running): Promise<Record<string, unknown>> {
  const finished = runner.events("restart-finished").length;
  runner.child.kill("SIGHUP");
  return (await runner.eventCount("restart-finished", finished + 1))[finished]!;
}

describe("rolling restart on SIGHUP", () => {
  it("starts a new generation from where the link points now, without a failed request", async () => {
    await using workplace = startRunner("hello.mjs", { instances: 1 });
    const link = path.join(workplace.temp, "current");
    release(path.join(workplace.temp, "one"), "one");
    release(path.join(workplace.temp, "two"), "two");
    deploy(link, path.join(workplace.temp, "one"));
    await using runner = startRunner(path.join(link, "main.mjs"), { instances: 2, args: FAST });
    const url = await runner.ready(2);
    expect((await ask(url)).body).toBe("one");
    deploy(link, path.join(workplace.temp, "two"));
    expect(await restart(runner)).toMatchObject({ outcome: "done", generation: 1 });
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(url)));
    expect(new Set(answers.map((answer) => answer.body))).toEqual(new Set(["two"]));
    await runner.eventCount("instance-exited", 2);
    expect(runner.events("instance-exited")).toMatchObject([
      { generation: 0, reason: "asked", code: 0 },
      { generation: 0, reason: "asked", code: 0 },
    ]);
  });

  it("names the options in the new code that cannot change while the program runs", async () => {
    await using workplace = startRunner("hello.mjs", { instances: 1 });
    const link = path.join(workplace.temp, "current");
    release(path.join(workplace.temp, "one"), "one", "", "{ maxRequests: 1000, port: 1 }");
    release(path.join(workplace.temp, "two"), "two", "", "{ maxRequests: 2000, port: 2 }");
    deploy(link, path.join(workplace.temp, "one"));
    await using runner = startRunner(path.join(link, "main.mjs"), { instances: 2, args: FAST });
    const url = await runner.ready(2);
    expect(await restart(runner)).toMatchObject({ outcome: "done" });
    expect(runner.events("options-kept")).toEqual([]);
    deploy(link, path.join(workplace.temp, "two"));
    expect(await restart(runner)).toMatchObject({ outcome: "done" });
    expect((await ask(url)).body).toBe("two");
    // The port was given on the command line, which wins over both.
    expect(runner.events("options-kept")).toMatchObject([
      { level: 40, generation: 2, options: [{ option: "maxRequests", running: "1000", wanted: "2000" }] },
    ]);
  });

  it.each([
    ["throws at import", 'throw new Error("broken release");', "broken release"],
    ["dies in a moment", "setTimeout(() => process.exit(9), 50);", "exit code 9"],
  ])("a release that %s is taken back and the old one serves on, crashes included", async (_, start, says) => {
    await using workplace = startRunner("hello.mjs", { instances: 1 });
    const link = path.join(workplace.temp, "current");
    release(path.join(workplace.temp, "one"), "one");
    release(path.join(workplace.temp, "two"), "two", start);
    deploy(link, path.join(workplace.temp, "one"));
    await using runner = startRunner(path.join(link, "main.mjs"), { instances: 2, args: FAST });
    const url = await runner.ready(2);
    deploy(link, path.join(workplace.temp, "two"));
    const result = await restart(runner);
    expect(result).toMatchObject({ outcome: "failed" });
    expect(result["error"]).toContain(says);
    expect((await ask(url)).body).toBe("one");
    // A respawn after that uses the code of the old generation, though the link points to the broken one.
    const { pid } = runner.events("instance-ready")[0]!;
    const ready = runner.events("instance-ready").length;
    process.kill(pid!, "SIGKILL");
    await runner.eventCount("instance-ready", ready + 1);
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(url)));
    expect(new Set(answers.map((answer) => answer.body))).toEqual(new Set(["one"]));
  });

  it("says so when the code is gone", async () => {
    await using workplace = startRunner("hello.mjs", { instances: 1 });
    const folder = path.join(workplace.temp, "one");
    release(folder, "one");
    await using runner = startRunner(path.join(folder, "main.mjs"), { instances: 1, args: FAST });
    const url = await runner.ready(1);
    rmSync(folder, { recursive: true });
    expect(await restart(runner)).toMatchObject({ outcome: "failed", error: expect.stringContaining("Cannot find") });
    expect((await ask(url)).body).toBe("one");
  });

  it("a stop during one wins", async () => {
    await using runner = startRunner("hello.mjs", { instances: 2, args: ["--canary-time", "60s"] });
    await runner.ready(2);
    runner.child.kill("SIGHUP");
    await runner.eventCount("instance-ready", 3);
    expect(await runner.stop()).toEqual({ code: 0, signal: null });
    expect(runner.events("restart-finished")).toMatchObject([{ outcome: "stopped" }]);
  });
});

describe("scaling by signals", () => {
  it("SIGTTIN adds an instance, SIGTTOU drains the newest", async () => {
    await using runner = startRunner("hello.mjs", { instances: 1 });
    const url = await runner.ready(1);
    runner.child.kill("SIGTTIN");
    await runner.event("instance-ready", { instance: 1 });
    runner.child.kill("SIGTTOU");
    await runner.event("instance-exited", { instance: 1, reason: "asked", code: 0 });
    await until(async () => (await ask(url)).status === 200, "an answer");
    expect(runner.events("scaled").map((line) => line["instances"])).toEqual([2, 1]);
  });
});
