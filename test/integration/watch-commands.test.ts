// choir logs, choir profile and choir top against a real app; top in a pseudo-terminal, which it must leave as it was.
import { spawn } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeWith } from "../helpers/programs.ts";
import { runChoir } from "../helpers/run-choir.ts";
import { ask, type Running, startRunner } from "../helpers/start-runner.ts";
import { within } from "../helpers/within.ts";

const BIN = fileURLToPath(new URL("../../bin/choir.js", import.meta.url));
const TERMINAL = fileURLToPath(new URL("../helpers/terminal.py", import.meta.url));

let runner: Running;
let app: string;

beforeAll(async () => {
  runner = startRunner("keeps-metrics.mjs", { instances: 2 });
  app = await runner.ready(2);
});

afterAll(async () => {
  await runner[Symbol.asyncDispose]();
});

const choir = (...args: string[]): ReturnType<typeof runChoir> => runChoir(args, runner.runtime);

describe("choir logs", () => {
  it("shows the last lines, for a person or as JSON, of an instance or a level", async () => {
    const all = await choir("logs", "keeps-metrics");
    expect(all).toMatchObject({ code: 0, stderr: "" });
    expect(all.stdout).toMatch(/^\d{4}-\d\d-\d\d [\d:.]+ INFO {2}\[keeps-metrics\] Starting keeps-metrics /);
    const ofOne = (await choir("logs", "keeps-metrics", "--json", "--instance", "1", "--lines", "1000")).stdout
      .trim()
      .split("\n");
    expect(ofOne.map((line) => JSON.parse(line) as object)).toMatchObject([{ event: "instance-ready", instance: 1 }]);
    expect((await choir("logs", "keeps-metrics", "--level", "error")).stdout).toBe("");
    expect((await choir("logs", "keeps-metrics", "--lines", "0")).stdout).toBe("");
  });

  it("sets the level, and reopens files", async () => {
    expect((await choir("logs", "keeps-metrics", "--set-level", "debug")).code).toBe(0);
    await runner.event("log-level-changed", { to: "debug", was: "info", by: "choir logs" });
    expect((await choir("logs", "keeps-metrics", "--set-level", "info", "--reopen")).code).toBe(0);
    await runner.event("logs-reopened");
  });

  it.each([
    [["logs", "--lines", "many"], "--lines must be a whole number"],
    [["logs", "--level", "loud"], "--level must be one of trace,"],
    [["profile"], "needs the slot"],
    [["profile", "0", "--seconds", "0"], "--seconds must be a whole number from 1 to 300"],
    [["profile", "0", "--heap", "--seconds", "5"], "--seconds is for a CPU profile"],
    [["top", "--interval", "0"], "--interval must be a whole number"],
  ])("%j is refused with 64", async (args, message) => {
    expect(await choir(...args)).toMatchObject({ code: 64, stdout: "", stderr: expect.stringContaining(message) });
  });
});

describe("choir profile", () => {
  it("writes a CPU profile that shows what was running, for its owner only", async () => {
    const file = path.join(runner.temp, "cpu.cpuprofile");
    const [done] = await Promise.all([
      choir("profile", "0", "keeps-metrics", "--seconds", "2", "--output", file, "--json"),
      // Whichever instance takes it: both are asked for, one after the other, while the profile is taken.
      ...Array.from({ length: 8 }, () => ask(`${app}/block/200`)),
    ]);
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(done.stdout)).toMatchObject({ name: "keeps-metrics", instance: 0, file });
    const { nodes, samples } = JSON.parse(readFileSync(file, "utf8")) as { nodes: object[]; samples: number[] };
    expect([nodes.length > 0, samples.length > 100]).toEqual([true, true]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it("writes a heap snapshot, while the app serves on and the instance is not taken for stuck", async () => {
    const file = path.join(runner.temp, "heap.heapsnapshot");
    expect(await choir("profile", "1", "keeps-metrics", "--heap", "--output", file)).toMatchObject({ code: 0 });
    const { snapshot } = JSON.parse(readFileSync(file, "utf8")) as { snapshot: { node_count: number } };
    expect(snapshot.node_count).toBeGreaterThan(10_000);
    expect((await ask(app)).status).toBe(200);
    expect(runner.events("instance-exited")).toEqual([]);
  });

  it("says that there is no such instance", async () => {
    expect(await choir("profile", "7", "keeps-metrics")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("slot 7"),
    });
  });
});

/** `choir top` in a terminal of its own. */
class Terminal {
  text = "";
  #end = "";
  readonly #child;
  readonly ended: Promise<number>;

  constructor(args: readonly string[], [columns, rows] = [100, 30]) {
    this.#child = spawn("python3", [TERMINAL, String(columns), String(rows), process.execPath, BIN, ...args], {
      env: { PATH: process.env["PATH"], XDG_RUNTIME_DIR: runner.runtime, TERM: "xterm" },
    });
    this.#child.stdout.setEncoding("utf8").on("data", (chunk: string) => (this.text += chunk));
    this.#child.stderr.setEncoding("utf8").on("data", (chunk: string) => (this.#end += chunk));
    this.ended = new Promise((resolve) => {
      this.#child.on("close", () => resolve(Number(/exit (-?\d+)/.exec(this.#end)?.[1])));
    });
  }

  do(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  async until(pattern: RegExp): Promise<void> {
    const look = async (): Promise<void> => {
      while (!pattern.test(this.text)) await new Promise((resolve) => this.#child.stdout.once("data", resolve));
    };
    await within(look(), () => `${pattern} in ${JSON.stringify(this.text)} ${this.#end}`, 20_000);
  }

  /** Its exit code, and what it printed last. */
  async end(): Promise<number> {
    return within(this.ended, () => `the end, after ${JSON.stringify(this.text)} ${this.#end}`, 20_000);
  }
}

const ENTERED = "\u001B[?1049h\u001B[?25l";
const LEFT = "\u001B[?25h\u001B[?1049l";

describeWith({ programs: ["python3"] }, "choir top", () => {
  it.each([
    ["q", "key 71"],
    ["Ctrl-C", "key 03"],
    ["SIGTERM", "signal 15"],
    ["SIGINT", "signal 2"],
    ["SIGHUP", "signal 1"],
  ])("draws until %s, and leaves the screen as it was", async (_, end) => {
    const terminal = new Terminal(["top", "keeps-metrics"]);
    await terminal.until(/keeps-metrics is running: 2 of 2 ready[^]*REQ\/S[^]*\n[^]*ready/);
    terminal.do(end);
    expect(await terminal.end()).toBe(0);
    expect(terminal.text.startsWith(ENTERED)).toBe(true);
    expect(terminal.text.endsWith(LEFT)).toBe(true);
  });

  it("fits the terminal, also when that changes", async () => {
    const terminal = new Terminal(["top", "keeps-metrics"], [40, 10]);
    await terminal.until(/SLOT +STATE/);
    terminal.do("size 200 40");
    await terminal.until(/UPTIME +GEN +PID/);
    terminal.do("key 71");
    expect(await terminal.end()).toBe(0);
    const [narrow = ""] = terminal.text.slice(ENTERED.length).split("\u001B[J");
    // oxlint-disable-next-line no-control-regex -- what a terminal is told is between the lines
    const lines = narrow.replaceAll(/\u001B\[[\d?]*[A-Za-z]/g, "").split(/\r*\n/);
    expect(lines.length).toBeLessThanOrEqual(10);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(40);
  });

  it("is one picture without a terminal, and a snapshot a line as JSON", async () => {
    const { code, stdout } = await choir("top", "keeps-metrics");
    expect(code).toBe(0);
    expect(stdout).toContain("requests/s");
    // oxlint-disable-next-line no-control-regex -- that is what must not be there
    expect(stdout).not.toMatch(/\u001B/);
  });
});
