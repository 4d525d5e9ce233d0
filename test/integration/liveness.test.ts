/** Instances that stop responding, reach a limit or run out of memory: said, replaced, and nobody else pays for it. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ask, isAlive, type LogLine, type Running, startRunner, until } from "../helpers/start-runner.ts";

const QUICK = ["--unresponsive-timeout", "1s"];

/** Makes one instance do something it does not come back from; resolves when its connection is gone. */
function provoke(url: string): Promise<void> {
  return ask(url).then(
    () => {},
    () => {},
  );
}

function messages(runner: Running): string {
  return runner.lines.map((line) => JSON.stringify(line)).join("\n");
}

describe("an unresponsive instance", () => {
  it("costs the others nothing, is killed at the timeout with the blocking stack in the log, and replaced", async () => {
    await using runner = startRunner("blocks-loop.mjs", { instances: 2, args: [...QUICK, "--shutdown-timeout", "1s"] });
    const url = await runner.ready(2);
    const open = provoke(`${url}/slow`);
    const provoked = provoke(`${url}/spin?secret=1`);
    // From here on it accepts nothing: what it had accepted before would be lost with it.
    await runner.line((line) => line.msg === "spinning", "the loop to be blocked");
    const delays: number[] = [];
    while (runner.events("instance-unresponsive").length === 0) {
      const begun = performance.now();
      await ask(`${url}/pid`);
      delays.push(performance.now() - begun);
    }
    const [unresponsive] = runner.events("instance-unresponsive") as [LogLine];
    expect(unresponsive).toMatchObject({ state: "running", level: 50 });
    expect(unresponsive["silentMs"]).toBeGreaterThanOrEqual(1000);
    const stack = unresponsive["stack"] as string[];
    expect(stack[0]).toMatch(/^at spinsForEver \(.*blocks-loop\.mjs:7:\d+\)$/);
    const requests = unresponsive["openRequests"] as { method: string; path: string; ageMs: number }[];
    expect(requests.at(0)).toMatchObject({ method: "GET", path: "/spin" });
    const exited = await runner.event("instance-exited", { reason: "unresponsive" });
    expect(exited).toMatchObject({ pid: unresponsive.pid, signal: "SIGKILL", respawnMs: 0 });
    await provoked;
    expect((await runner.eventCount("instance-ready", 3))[2]).toMatchObject({ instance: exited.instance });
    expect((await ask(`${url}/pid`)).status).toBe(200);
    // A hung request would have taken until the kill; the machine may be busy with other things.
    expect(Math.max(...delays)).toBeLessThan(900);
    expect(delays.length).toBeGreaterThan(20);
    // What Node says of its inspector is nobody's business, and the port is gone with the process.
    expect(messages(runner)).not.toMatch(/Debugger listening|inspector|Debugger attached/);
    expect(messages(runner)).not.toContain("secret");
    await runner.stop();
    await open;
  });

  it("is found in a regular expression too, and in a call that sleeps for ever", async () => {
    await using runner = startRunner("blocks-loop.mjs", { instances: 1, args: QUICK });
    const url = await runner.ready(1);
    await provoke(`${url}/regexp`);
    await provoke(`${url}/sleep`);
    const [regexp, sleep] = (await runner.eventCount("instance-unresponsive", 2)) as [LogLine, LogLine];
    expect((regexp["stack"] as string[])[0]).toMatch(/blocks-loop\.mjs:14:/);
    expect((sleep["stack"] as string[])[0]).toMatch(/blocks-loop\.mjs:15:/);
  });

  it("is killed without a stack, and with the reason, when its inspector does not answer", async () => {
    await using runner = startRunner("blocks-loop.mjs", { instances: 1, args: QUICK });
    const url = await runner.ready(1);
    await ask(`${url}/handle-sigusr1`);
    await provoke(`${url}/spin`);
    const [handled] = (await runner.eventCount("instance-unresponsive", 1)) as [LogLine];
    expect(handled).toMatchObject({ stack: [], missing: expect.stringContaining("handles SIGUSR1 itself") });
    await runner.eventCount("instance-ready", 2);
    await provoke(`${url}/exec`);
    const [, inCall] = (await runner.eventCount("instance-unresponsive", 2)) as [LogLine, LogLine];
    expect(inCall).toMatchObject({ stack: [], state: "sleeping", missing: expect.stringContaining("execSync") });
  });

  it("that was stopped by a signal is noticed, and replaced", async () => {
    await using runner = startRunner("blocks-loop.mjs", { instances: 2, args: QUICK });
    const url = await runner.ready(2);
    const pid = runner.events("instance-ready")[0]!.pid!;
    process.kill(pid, "SIGSTOP");
    const unresponsive = await runner.event("instance-unresponsive", { pid });
    expect(unresponsive).toMatchObject({ state: "stopped", stack: [], missing: expect.stringContaining("SIGSTOP") });
    await runner.event("instance-exited", { pid, reason: "unresponsive" });
    await runner.eventCount("instance-ready", 3);
    expect((await ask(`${url}/pid`)).status).toBe(200);
  });

  it("is not one whose supervisor was stopped meanwhile", async () => {
    await using runner = startRunner("hello.mjs", { instances: 2, args: QUICK });
    const url = await runner.ready(2);
    const stoppedAt = performance.now();
    process.kill(runner.pid, "SIGSTOP");
    // Nothing to wait for but time: what is tested is that it is not counted.
    await until(() => performance.now() - stoppedAt > 2500, "the timeout to pass");
    process.kill(runner.pid, "SIGCONT");
    const instances = runner.events("instance-ready").map((line) => line.pid!);
    await ask(`${url}/log`);
    await runner.line((line) => line.msg === "from the logger", "a line that was written after the pause");
    const resumedAt = performance.now();
    await until(() => performance.now() - resumedAt > 1500, "the rounds after the pause");
    expect(runner.events("instance-unresponsive")).toEqual([]);
    expect(instances.every(isAlive)).toBe(true);
  });

  it("that is blocked while it starts is left to --start-timeout", async () => {
    await using runner = startRunner("never-ready.mjs", {
      instances: 1,
      args: [...QUICK, "--start-timeout", "2500ms", "--no-respawn"],
    });
    expect(await runner.exit()).toMatchObject({ code: 69 });
    expect(runner.events("instance-unresponsive")).toEqual([]);
    expect(runner.events("instance-exited")).toMatchObject([{ reason: "start-timeout" }]);
  });
});

/** Asks without a pause, each time on a connection of its own, until `stop` is called; tells how it went. */
function load(url: string, clients = 4): { stop(): Promise<{ answered: number; failures: string[] }> } {
  const end = new AbortController();
  const failures: string[] = [];
  let answered = 0;
  const client = async (): Promise<void> => {
    while (!end.signal.aborted) {
      await ask(url).then(
        () => (answered += 1),
        (error: unknown) => failures.push(String(error)),
      );
    }
  };
  const all = Promise.all(Array.from({ length: clients }, client));
  return {
    async stop() {
      end.abort();
      await all;
      return { answered, failures };
    },
  };
}

describe("recycling", () => {
  it("by requests, under load: one after the other, without a failed request", async () => {
    await using runner = startRunner("hello.mjs", { instances: 2, args: ["--max-requests", "300"] });
    const url = await runner.ready(2);
    const clients = load(url);
    await runner.line(() => exits(runner, "max-requests").length >= 4, "four to be replaced");
    const { answered, failures } = await clients.stop();
    expect(failures).toEqual([]);
    expect(answered).toBeGreaterThan(4 * 270);
    expect(exits(runner, "max-requests").every((line) => line["code"] === 0)).toBe(true);
    expect(mostAtOnce(runner)).toBeLessThanOrEqual(3);
    for (const line of runner.events("instance-recycled")) {
      expect(line["limit"]).toBeGreaterThanOrEqual(270);
      expect(line["limit"]).toBeLessThanOrEqual(330);
    }
  });

  it("by age", async () => {
    await using runner = startRunner("hello.mjs", { instances: 1, args: ["--max-age", "1s"] });
    const url = await runner.ready(1);
    const clients = load(url, 1);
    await runner.line(() => exits(runner, "max-age").length >= 2, "two to be replaced");
    expect((await clients.stop()).failures).toEqual([]);
    expect(runner.events("instance-ready").every((line) => line.instance === 0)).toBe(true);
  });

  it("by memory, when it is too much for three heartbeats", async () => {
    await using runner = startRunner("leaks.mjs", { instances: 1, args: ["--max-memory", "300MB"] });
    const url = await runner.ready(1);
    await ask(`${url}/buffer/300`);
    const recycled = await runner.event("instance-recycled", { reason: "max-memory" });
    expect(recycled).toMatchObject({ limit: 300e6, early: true });
    expect(recycled["value"]).toBeGreaterThan(300e6);
    expect(await runner.event("instance-exited")).toMatchObject({ reason: "max-memory", code: 0 });
    await ask(url);
  });

  it("by the heap, while there is still some left", async () => {
    await using runner = startRunner("leaks.mjs", { instances: 1, execArgv: ["--max-old-space-size=96"] });
    const url = await runner.ready(1);
    expect((await ask(`${url}/fill`)).body).toBe("filled");
    expect((await runner.event("instance-recycled", { reason: "heap" }))["value"]).toBeGreaterThan(0.85);
    expect(await runner.event("instance-exited")).toMatchObject({ reason: "heap", code: 0 });
    expect((await ask(url)).body).toBe("here");
  });
});

describe("why it died", () => {
  it("names a JavaScript heap that is full", async () => {
    await using runner = startRunner("leaks.mjs", { instances: 1, execArgv: ["--max-old-space-size=32"] });
    const url = await runner.ready(1);
    await provoke(`${url}/exhaust`);
    const exited = await runner.event("instance-exited");
    expect(exited).toMatchObject({ reason: "out-of-memory", respawnMs: 0, level: 50 });
    expect(exited["note"]).toMatch(/heap out of memory/);
    expect((await runner.eventCount("instance-ready", 2)).length).toBe(2);
    expect((await ask(url)).body).toBe("here");
  });

  it("names it when it happens at the start", async () => {
    await using runner = startRunner("exhausts-on-start.mjs", {
      instances: 1,
      execArgv: ["--max-old-space-size=32"],
      args: ["--no-respawn"],
    });
    expect(await runner.exit()).toMatchObject({ code: 69 });
    expect(runner.stderr).toMatch(/heap was full/);
  });

  it("says of a kill from outside what the kernel counts", async () => {
    await using runner = startRunner("hello.mjs", { instances: 1 });
    await runner.ready(1);
    process.kill(runner.events("instance-ready")[0]!.pid!, "SIGKILL");
    const exited = await runner.event("instance-exited");
    expect(exited).toMatchObject({ reason: "crashed", signal: "SIGKILL" });
    expect(exited["note"]).toMatch(/perhaps .*out of memory/);
  });
});

function exits(runner: Running, reason: string): LogLine[] {
  return runner.events("instance-exited").filter((line) => line["reason"] === reason);
}

/** How many processes there were at most, by their events. */
function mostAtOnce(runner: Running): number {
  let live = 0;
  let most = 0;
  for (const { event } of runner.lines) {
    if (event === "instance-ready") most = Math.max(most, (live += 1));
    if (event === "instance-exited") live -= 1;
  }
  return most;
}

describe("heartbeats", () => {
  it("cost an idle instance next to nothing", async () => {
    await using runner = startRunner("hello.mjs", { instances: 1 });
    await runner.ready(1);
    const pid = runner.events("instance-ready")[0]!.pid!;
    const begun = cpuMs(pid);
    const since = performance.now();
    await until(() => performance.now() - since > 4000, "four idle seconds");
    // 1 to 3 ms a second were seen; what is guarded against is a busy timer.
    expect((cpuMs(pid) - begun) / 4).toBeLessThan(30);
  });
});

function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
