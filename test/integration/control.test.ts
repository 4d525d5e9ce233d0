/** The `choir` command against real programs: found, shown, restarted, scaled and stopped through their control sockets. */
import { execFile } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import type { Snapshot } from "../../src/supervisor/snapshot.ts";
import { runChoir } from "../helpers/run-choir.ts";
import { ask, isAlive, type Running, startRunner, until } from "../helpers/start-runner.ts";

const { version: VERSION } = createRequire(import.meta.url)("../../package.json") as { version: string };
const FAST = ["--canary-time", "100ms"];

function socketOf(runner: Running, name: string): string {
  return path.join(runner.runtime, "choir", `${name}.sock`);
}

async function statusOf(runner: Running): Promise<Snapshot> {
  const { stdout } = await runChoir(["status", "--json"], runner.runtime);
  return JSON.parse(stdout) as Snapshot;
}

describe("choir status", () => {
  it("finds the only app, shows it to people and to programs, and none of its environment or arguments", async () => {
    await using runner = startRunner("hello.mjs", {
      instances: 2,
      args: ["--", "secret-argument"],
      env: { SECRET: "secret-value" },
    });
    const url = await runner.ready(2);
    const people = await runChoir(["status"], runner.runtime);
    expect(people).toMatchObject({ code: 0, stderr: "" });
    expect(people.stdout).toMatch(/^hello is running: 2 of 2 ready, generation 0, up \d/);
    expect(people.stdout).toContain(`supervisor pid ${runner.pid}, Choir ${VERSION}, at ${url}`);
    expect(people.stdout).toMatch(/^SLOT {2}STATE .*LAST EXIT\n {3}0 {2}ready +0 .*\n {3}1 {2}ready +0 .*\n$/m);
    const programs = await runChoir(["status", "hello", "--json"], runner.runtime);
    expect(JSON.parse(programs.stdout)).toMatchObject({
      name: "hello",
      pid: runner.pid,
      state: "running",
      ready: 2,
      instances: 2,
      urls: [url],
      slots: [{ id: 0 }, { id: 1 }],
    });
    expect(people.stdout + programs.stdout).not.toContain("secret");
  });

  it("finds an app once whose folder lies in another one that is looked into, as systemd has it", async () => {
    await using runner = startRunner("hello.mjs");
    await runner.ready(1);
    const folder = path.join(runner.runtime, "choir");
    const found = await runChoir(["status"], runner.runtime, { RUNTIME_DIRECTORY: folder });
    expect(found).toMatchObject({ code: 0, stderr: "" });
  });

  it("asks for the name where several run, and names the nearest for one that is not there", async () => {
    await using one = startRunner("hello.mjs", { instances: 1 });
    await using two = startRunner("breaks-when-told.mjs", { instances: 1, env: { XDG_RUNTIME_DIR: one.runtime } });
    await Promise.all([one.ready(1), two.ready(1)]);
    const several = await runChoir(["status"], one.runtime);
    expect(several.code).toBe(64);
    expect(several.stderr).toContain("Several apps are running: say which one by its name");
    for (const [name, { pid }] of Object.entries({ hello: one, breaks: two })) {
      expect(several.stderr).toContain(`${name} (pid ${pid}, ${socketOf(one, name)})`);
      expect((await runChoir(["status", name], one.runtime)).stdout).toContain(`${name} is running`);
    }
    const wrong = await runChoir(["status", "helo"], one.runtime);
    expect(wrong.code).toBe(69);
    expect(wrong.stderr).toContain('No app named "helo" is running, did you mean "hello"?');
    const byPath = await runChoir(["status", "--control", socketOf(one, "breaks")], "/none");
    expect(byPath.stdout).toContain("breaks is running");
    const byVariable = await runChoir(["status"], "/none", { CHOIR_CONTROL: socketOf(one, "hello") });
    expect(byVariable.stdout).toContain("hello is running");
  });

  it("says where it looked when nothing runs, and what a killed app left behind", async () => {
    await using runner = startRunner("hello.mjs", { instances: 1 });
    await runner.ready(1);
    runner.child.kill("SIGKILL");
    await runner.exited;
    const { code, stderr } = await runChoir(["status"], runner.runtime);
    expect(code).toBe(69);
    expect(stderr).toContain("No running app was found");
    expect(stderr).toContain(`${socketOf(runner, "hello")} was left behind by an app that was killed`);
    expect(stderr).toContain(`Looked in ${path.join(runner.runtime, "choir")}`);
    expect(stderr).toContain("node main.js");
  });

  it("gives up on a supervisor that is stopped, in seconds", async () => {
    await using runner = startRunner("hello.mjs", { instances: 1 });
    await runner.ready(1);
    runner.child.kill("SIGSTOP");
    const { code, stderr } = await runChoir(["status"], runner.runtime);
    runner.child.kill("SIGCONT");
    expect(code).toBe(69);
    expect(stderr).toContain(`What listens at ${socketOf(runner, "hello")} does not answer`);
  });
});

describe("choir restart", () => {
  it("waits for the new generation, showing each step", async () => {
    await using runner = startRunner("hello.mjs", { instances: 2, args: FAST });
    await runner.ready(2);
    const { code, stdout, stderr } = await runChoir(["restart"], runner.runtime);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const lines = stdout.trim().split("\n");
    expect(lines[0]).toBe("Rolling restart on choir restart: starting generation 1");
    expect(lines.filter((line) => /^Instance [01] listening at/.test(line))).toHaveLength(2);
    expect(lines.at(-1)).toMatch(/^Rolling restart done after .*: all instances are of generation 1$/);
    const json = await runChoir(["restart", "--json"], runner.runtime);
    expect(JSON.parse(json.stdout)).toMatchObject({ outcome: "done", generation: 2 });
  });

  it("exits 1 with the newcomer's last words when it was taken back, and the old generation serves", async () => {
    await using runner = startRunner("breaks-when-told.mjs", { instances: 2, args: FAST });
    const url = await runner.ready(2);
    writeFileSync(path.join(runner.temp, "broken"), "");
    const { code, stderr } = await runChoir(["restart", "breaks"], runner.runtime);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^choir: Rolling restart taken back after .*migration missing/);
    expect(stderr).toContain(String.raw`  the database has\x1b[2J no table users`);
    const json = await runChoir(["restart", "--json"], runner.runtime);
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({ outcome: "failed", error: expect.stringContaining("migration") });
    expect((await ask(url)).body).toBe("served");
    expect(await statusOf(runner)).toMatchObject({ generation: 0, ready: 2, lastRestart: { outcome: "failed" } });
  });

  it("exits 1 when the app is stopped meanwhile", async () => {
    await using runner = startRunner("hello.mjs", { instances: 1, args: ["--canary-time", "1m"] });
    await runner.ready(1);
    const restarted = runChoir(["restart", "--json"], runner.runtime);
    await runner.event("restart-started");
    expect(await runner.stop()).toEqual({ code: 0, signal: null });
    const { code, stdout } = await restarted;
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ outcome: "stopped" });
  });
});

describe("a supervisor that is killed while a command waits", () => {
  it.each([["restart"], ["stop"]])("ends choir %s with 69", async (command) => {
    const args = ["--canary-time", "1m"];
    await using runner = startRunner("hello.mjs", { instances: 1, args });
    const url = await runner.ready(1);
    const slow = ask(`${url}/slow/2000`);
    await ask(url);
    const ended = runChoir([command], runner.runtime);
    await runner.event(command === "stop" ? "stopping" : "restart-started");
    runner.child.kill("SIGKILL");
    const { code, stderr } = await ended;
    expect(code).toBe(69);
    expect(stderr).toContain(`No answer at "${socketOf(runner, "hello")}"`);
    await slow;
  });
});

describe("choir scale", () => {
  it("changes the number of instances, up and down", async () => {
    await using runner = startRunner("hello.mjs", { instances: 1 });
    await runner.ready(1);
    expect(await runChoir(["scale", "3"], runner.runtime)).toMatchObject({
      code: 0,
      stdout: "Scaling from 1 to 3 instances on choir scale\n",
    });
    await runner.ready(3);
    expect(await statusOf(runner)).toMatchObject({ instances: 3, ready: 3 });
    const json = await runChoir(["scale", "1", "hello", "--json"], runner.runtime);
    expect(JSON.parse(json.stdout)).toEqual({ instances: 1 });
    await runner.eventCount("instance-exited", 2);
    expect((await runChoir(["scale", "1"], runner.runtime)).stdout).toContain("nothing was changed");
  });
});

describe("choir stop", () => {
  it("returns when the app is gone, and its address and socket with it", async () => {
    await using runner = startRunner("hello.mjs", { instances: 2 });
    await runner.ready(2);
    const { code, stdout } = await runChoir(["stop"], runner.runtime);
    expect(isAlive(runner.pid)).toBe(false);
    expect(runner.survivors()).toEqual([]);
    expect(existsSync(socketOf(runner, "hello"))).toBe(false);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Stopping on choir stop.*\n(Instance \d .*stopped.*\n){2}Stopped\n$/);
    expect(await runner.exit()).toEqual({ code: 0, signal: null });
  });

  it("exits 1 when a request was still open at --shutdown-timeout", async () => {
    await using runner = startRunner("hello.mjs", { instances: 1, args: ["--shutdown-timeout", "300ms"] });
    const url = await runner.ready(1);
    const slow = ask(`${url}/slow/60000`).catch((error: Error) => error.message);
    // Another request is answered by the same instance after the slow one has begun.
    await ask(url);
    const { code, stdout } = await runChoir(["stop"], runner.runtime);
    expect(code).toBe(1);
    expect(stdout).toContain("Stopped with exit code 1");
    expect(await slow).toMatch(/hang up|ECONNRESET/);
  });

  it("with --no-wait returns at once", async () => {
    await using runner = startRunner("hello.mjs", { instances: 1 });
    const url = await runner.ready(1);
    const slow = ask(`${url}/slow/1000`);
    await ask(url);
    expect((await runChoir(["stop", "--no-wait"], runner.runtime)).stdout).toBe(
      `hello (pid ${runner.pid}) is stopping\n`,
    );
    expect((await slow).body).toBe("slow");
    expect(await runner.exit()).toEqual({ code: 0, signal: null });
  });
});

describe("the command line", () => {
  it.each([
    [["--help"], 0, /^Usage: choir <command>/],
    [["help"], 0, /^Usage: choir <command>/],
    [["help", "scale"], 0, /^Usage: choir scale <n> \[name\]/],
    [["restart", "--help"], 0, /^Usage: choir restart \[name\]/],
    [["stop", "-h", "--nonsense"], 0, /^Usage: choir stop \[name\]/],
    [["--version"], 0, /^\d+\.\d+\.\d+\n$/],
  ])("%j prints to stdout", async (args, code, stdout) => {
    expect(await runChoir(args, "/none")).toEqual({ code, stdout: expect.stringMatching(stdout), stderr: "" });
  });

  it.each([
    [[], "Usage: choir <command>"],
    [["statsu"], 'Unknown command "statsu", did you mean status?'],
    [
      ["frobnicate"],
      'Unknown command "frobnicate"; there are start, check, status, top, logs, profile, restart, scale, stop',
    ],
    [["--json"], 'Unknown option "--json"'],
    [["status", "--jsn"], "Unknown option --jsn of choir status, did you mean --json?"],
    [["status", "one", "two"], 'choir status takes [name], got "two" besides'],
    [["status", "--control"], "--control needs a value"],
    [["scale"], "choir scale needs the number of instances"],
    [["scale", "many"], 'must be a whole number of at least 1, got "many"'],
    [["scale", "-1"], 'must be a whole number of at least 1, got "-1"'],
    [["scale", "0"], 'must be a whole number of at least 1, got "0"'],
    [["scale", "hello", "4"], "write choir scale 4 hello"],
  ])("%j is refused with 64", async (args, message) => {
    const { code, stdout, stderr } = await runChoir(args, "/none");
    expect({ code, stdout }).toEqual({ code: 64, stdout: "" });
    expect(stderr).toContain(message);
  });
});

describe("the supervisor's side", () => {
  it("refuses a second app of the same name, and the first one does not notice", async () => {
    await using first = startRunner("hello.mjs", { instances: 1 });
    const url = await first.ready(1);
    expect(statSync(socketOf(first, "hello")).mode & 0o777).toBe(0o600);
    const args = ["--bind-retry", "0s"];
    await using second = startRunner("hello.mjs", { args, env: { XDG_RUNTIME_DIR: first.runtime } });
    expect(await second.exit()).toEqual({ code: 69, signal: null });
    expect(second.stderr).toContain(`An app named "hello" is running already, with pid ${first.pid}`);
    expect(second.stderr).toContain("--control");
    expect((await ask(url)).body).toBe("hello");
    await using third = startRunner("hello.mjs", {
      args: ["--control", "own.sock"],
      env: { XDG_RUNTIME_DIR: first.runtime },
    });
    await third.ready(1);
    expect((await statusOf(first)).pid).toBe(first.pid);
  });

  it("takes over what a killed one left", async () => {
    await using first = startRunner("hello.mjs", { instances: 1 });
    await first.ready(1);
    first.child.kill("SIGKILL");
    await first.exited;
    expect(existsSync(socketOf(first, "hello"))).toBe(true);
    await using second = startRunner("hello.mjs", { instances: 1, env: { XDG_RUNTIME_DIR: first.runtime } });
    await second.ready(1);
    expect((await statusOf(first)).pid).toBe(second.pid);
  });

  it("starts without control where the folder is open to others, with a warning", async () => {
    await using place = startRunner("hello.mjs", { instances: 1 });
    await place.ready(1);
    const open = path.join(place.temp, "open");
    mkdirSync(path.join(open, "choir"), { recursive: true });
    chmodSync(path.join(open, "choir"), 0o777);
    await using runner = startRunner("hello.mjs", { instances: 1, env: { XDG_RUNTIME_DIR: open } });
    const url = await runner.ready(1);
    expect((await runner.event("control-unavailable")).msg).toContain("is open to other users (mode 0777)");
    expect((await ask(url)).body).toBe("hello");
  });

  it("does not start when --control names a place that cannot be had", async () => {
    await using runner = startRunner("hello.mjs", { args: ["--control", "/none/such/app.sock"] });
    expect(await runner.exit()).toEqual({ code: 78, signal: null });
    expect(runner.stderr).toContain('Control socket "/none/such/app.sock" is in a folder that does not exist');
  });

  it("has no socket with --control off", async () => {
    await using runner = startRunner("hello.mjs", { instances: 1, args: ["--control", "off"] });
    await runner.ready(1);
    expect(existsSync(path.join(runner.runtime, "choir"))).toBe(false);
    await until(() => runner.events("starting").length === 1, "the first event");
    expect(runner.events("starting")[0]).not.toHaveProperty("control");
  });
});

it.each(["cli/supervise.js", "supervisor/main.js", "instance/serve.js"])("%s does not load undici", async (file) => {
  const url = new URL(`../../dist/src/${file}`, import.meta.url).href;
  const script = `await import(${JSON.stringify(url)}); console.log(process.moduleLoadList.filter((name) => name.includes("undici")).join());`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
  expect(stdout).toBe("\n");
});
