/** As in a container: the first process of a PID namespace, and the health endpoints that an orchestrator asks. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { describeWith } from "../helpers/programs.ts";
import { ask, type LogLine, startRunner, until } from "../helpers/start-runner.ts";
import { within } from "../helpers/within.ts";

const FIXTURES = fileURLToPath(new URL("../fixtures/apps/", import.meta.url));
const CAN_EXEC = typeof (process as { execve?: unknown }).execve === "function";

/** A program that is PID 1 of a namespace of its own. The numbers in its log are of that namespace, and nobody's here. */
class Container implements AsyncDisposable {
  readonly lines: LogLine[] = [];
  stderr = "";
  readonly ended: Promise<number | null>;
  readonly #folder = mkdtempSync(path.join(tmpdir(), "choir-container-"));
  readonly #unshare: ChildProcess;

  constructor(app: string, args: readonly string[] = []) {
    const node = [process.execPath, path.join(FIXTURES, app), "-p0", "-j1", "--log-format", "json", "--control", "off"];
    // With the first process all of the namespace ends.
    const unshare = ["--pid", "--fork", "--mount-proc", "--kill-child", ...node, ...args];
    this.#unshare = spawn("unshare", unshare, { cwd: this.#folder, stdio: ["ignore", "pipe", "pipe"], detached: true });
    createInterface({ input: this.#unshare.stdout! }).on("line", (line) =>
      this.lines.push(JSON.parse(line) as LogLine),
    );
    this.#unshare.stderr!.setEncoding("utf8").on("data", (chunk: string) => (this.stderr += chunk));
    this.ended = once(this.#unshare, "exit").then(([code]) => code as number | null);
  }

  async event(kind: string, count = 1): Promise<LogLine> {
    const seen = (): LogLine[] => this.lines.filter((line) => line.event === kind);
    await until(() => seen().length >= count, `${kind} in ${JSON.stringify(this.lines)} ${this.stderr}`);
    return seen()[count - 1]!;
  }

  /** Signals PID 1, as a container's runtime does. */
  signal(signal: NodeJS.Signals): void {
    const pid = this.#unshare.pid!;
    process.kill(Number.parseInt(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8"), 10), signal);
  }

  end(): Promise<number | null> {
    return within(this.ended, () => `the end of ${JSON.stringify(this.lines)} ${this.stderr}`, 15_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unshare.kill("SIGKILL");
    await this.ended;
    rmSync(this.#folder, { recursive: true });
  }
}

const obstacle = (): string | undefined => (process.getuid?.() === 0 ? undefined : "needs root");

describeWith({ programs: ["unshare"], obstacle }, "as PID 1", () => {
  it("takes leave of orphans, or warns that it cannot", async () => {
    await using container = new Container("orphans.mjs");
    const url = (await container.event("instance-ready"))["url"] as string;
    if (!CAN_EXEC) {
      expect((await container.event("no-init"))["why"]).toBe(`Node.js ${process.version} cannot start one`);
      return;
    }
    const orphan = (await ask(`${url}/orphan`)).body;
    const processes = async (): Promise<{ pid: string; state: string }[]> =>
      JSON.parse((await ask(`${url}/processes`)).body) as { pid: string; state: string }[];
    await until(async () => (await processes()).every(({ pid }) => pid !== orphan), "the orphan to be gone");
    expect((await processes()).filter(({ state }) => state === "Z")).toEqual([]);
    expect(container.lines.filter(({ event }) => event === "no-init")).toEqual([]);
  });

  it("hands signals on, answers what is in flight, and ends with the supervisor's exit code", async () => {
    await using container = new Container("orphans.mjs", ["--canary-time", "0ms"]);
    const url = (await container.event("instance-ready"))["url"] as string;
    container.signal("SIGHUP");
    expect(await container.event("restart-finished")).toMatchObject({ outcome: "done" });
    const slow = ask(`${url}/slow`);
    await ask(`${url}/processes`);
    container.signal("SIGTERM");
    expect((await slow).body).toBe("slow");
    expect(await container.end()).toBe(0);
  });

  it("ends with the exit code of a start that failed", async () => {
    await using container = new Container("returns-no-app.mjs");
    expect(await container.end()).toBe(69);
  });
});

describe("health endpoints", () => {
  it("are live from the start, ready with the first instance, and unready from the first moment of a stop", async () => {
    await using runner = startRunner("manual-ready.mjs", {
      args: ["--health-address", "0", "--drain-delay", "4s"],
    });
    const health = (await runner.event("health-listening"))["url"] as string;
    const status = async (name: string): Promise<number> => (await ask(`${health}/${name}`)).status;
    expect(await status("livez")).toBe(200);
    const url = await runner.ready(1);
    expect(await ask(`${health}/readyz`)).toMatchObject({
      status: 200,
      body: '{"status":"ready","ready":1,"instances":1}\n',
    });
    runner.child.kill("SIGTERM");
    await runner.event("stopping");
    // Asked while connections are still accepted, so that a load balancer stops to send them before they are refused.
    expect(await status("readyz")).toBe(503);
    expect(await status("livez")).toBe(200);
    expect((await ask(url)).status).toBeLessThan(500);
    expect(await runner.exit()).toEqual({ code: 0, signal: null });
    await expect(ask(`${health}/livez`)).rejects.toThrow();
  });

  it("are unready while no instance takes requests, and again ready with the next one that does", async () => {
    await using runner = startRunner("breaks-when-told.mjs", { args: ["--health-address", "0"] });
    const health = (await runner.event("health-listening"))["url"] as string;
    await runner.ready(1);
    const broken = path.join(runner.folder, "broken");
    writeFileSync(broken, "");
    process.kill(runner.events("instance-ready")[0]!.pid!, "SIGKILL");
    // From now on every start fails.
    await runner.event("instance-start-failed");
    expect((await ask(`${health}/readyz`)).status).toBe(503);
    expect((await ask(`${health}/livez`)).status).toBe(200);
    rmSync(broken);
    await runner.eventCount("instance-ready", 2);
    expect((await ask(`${health}/readyz`)).status).toBe(200);
  });

  it.each([
    ["127.0.0.1", /--health-address must be a port/],
    ["192.0.2.1:9000", /--health-address: Address "192\.0\.2\.1:9000" is not an address of this machine/],
  ])("at %s end the start with one message", async (address, message) => {
    await using runner = startRunner("hello.mjs", { args: ["--health-address", address] });
    expect(await runner.exit()).toEqual({ code: 78, signal: null });
    expect(runner.stderr).toMatch(message);
    expect(runner.events("starting")).toEqual([]);
  });
});
