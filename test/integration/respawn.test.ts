/** What an end costs others: nothing. Crashes, kills under load, crash loops, and starts that cannot succeed. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ask, startRunner, until } from "../helpers/start-runner.ts";

describe("respawn", () => {
  it("fills a crashed slot with the same id", async () => {
    await using runner = startRunner("hello.mjs", { instances: 2 });
    const url = await runner.ready(2);
    await ask(`${url}/exit/7`);
    const exited = await runner.event("instance-exited");
    expect(exited).toMatchObject({ reason: "crashed", code: 7, respawnMs: 0 });
    const ready = await runner.eventCount("instance-ready", 3);
    expect(ready[2]).toMatchObject({ instance: exited.instance, generation: 0 });
    await until(async () => {
      const info = JSON.parse((await ask(`${url}/instance`)).body) as Record<string, unknown>;
      return info["restarts"] === 1 && info["id"] === exited.instance;
    }, "an answer of the replacement");
  });

  it("logs an uncaught error once, with its stack, and respawns", async () => {
    await using runner = startRunner("hello.mjs");
    const url = await runner.ready(1);
    await ask(`${url}/throw-later`);
    await runner.event("instance-exited", { reason: "uncaught", code: 1 });
    await runner.eventCount("instance-ready", 2);
    const errors = runner.lines.filter((line) => JSON.stringify(line).includes("thrown later"));
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({
      level: 60,
      instance: 0,
      err: { message: "thrown later", stack: expect.stringContaining("hello.mjs") },
    });
  });

  it("without descriptors for another process serves on with those that there are", async () => {
    // Loading Choir needs some of them as well: node opens what a module imports all at once, 64 were too few on a slow disk.
    await using runner = startRunner("hello.mjs", { instances: 32, openFiles: 128 });
    const url = await runner.ready(1);
    expect(await runner.event("instance-start-failed")).toMatchObject({ code: "EMFILE", pid: -1 });
    expect((await ask(url)).body).toBe("hello");
    expect(await runner.stop()).toEqual({ code: 0, signal: null });
    expect(runner.survivors()).toEqual([]);
  });

  it("with --no-respawn serves on with the rest and exits with 1 after the last", async () => {
    await using runner = startRunner("hello.mjs", { instances: 2, args: ["--no-respawn"] });
    const url = await runner.ready(2);
    await ask(`${url}/exit/1`);
    await runner.eventCount("instance-exited", 1);
    expect((await ask(`${url}/exit/0`)).body).toBe("bye");
    expect(await runner.exit()).toEqual({ code: 1, signal: null });
    expect(runner.events("instance-ready")).toHaveLength(2);
    expect(runner.stderr).toContain("--no-respawn");
  });

  it("kill -9 of all instances under load: nothing refused, nothing hung, the outage served after the respawn", async () => {
    await using runner = startRunner("hello.mjs", { instances: 2 });
    const url = await runner.ready(2);
    const failures: string[] = [];
    let answered = 0;
    const load = new AbortController();
    const client = async (): Promise<void> => {
      while (!load.signal.aborted) {
        try {
          await ask(url);
          answered += 1;
        } catch (error) {
          failures.push((error as NodeJS.ErrnoException).code ?? (error as Error).message);
        }
      }
    };
    const clients = Array.from({ length: 8 }, client);
    await until(() => answered > 200, "load");
    for (let round = 0; round < 3; round += 1) {
      const ready = runner.events("instance-ready").length;
      for (const pid of runner.survivors()) process.kill(pid, "SIGKILL");
      const during = ask(url).then(
        (answer) => answer.body,
        () => "failed",
      );
      await runner.eventCount("instance-ready", ready + 2);
      // Accepted by an instance before its death it may fail; else it is served by a new one.
      expect(["hello", "failed"]).toContain(await during);
    }
    load.abort();
    await Promise.all(clients);
    expect(failures.filter((code) => code !== "ECONNRESET")).toEqual([]);
    // Only what was in flight on a killed instance may be reset: at most one per client and round.
    expect(failures.length).toBeLessThanOrEqual(3 * 9);
  });

  it("requests sent while no instance lives are served after the respawn", async () => {
    await using runner = startRunner("hello.mjs", { instances: 1 });
    const url = await runner.ready(1);
    const [pid] = runner.survivors();
    process.kill(pid!, "SIGSTOP");
    const waiting = Array.from({ length: 20 }, () => ask(url));
    process.kill(pid!, "SIGKILL");
    expect((await Promise.all(waiting)).map((answer) => answer.body)).toEqual(
      Array.from({ length: 20 }, () => "hello"),
    );
  });

  it("a crash loop backs off and costs the supervisor next to nothing", async () => {
    await using runner = startRunner("crash-loop.mjs", { instances: 2 });
    const exits = await runner.eventCount("instance-exited", 10, 20_000);
    const delays = exits.filter((exit) => exit.instance === 0).map((exit) => exit["respawnMs"] as number);
    expect(delays[0]).toBe(0);
    for (const [index, delay] of delays.slice(1, 4).entries()) {
      expect(delay).toBeGreaterThanOrEqual(0.8 * 250 * 2 ** index);
      expect(delay).toBeLessThanOrEqual(1.2 * 250 * 2 ** index);
    }
    // From the sixth respawn of each slot to the eighth: the loop as it stays, with waits of 8 s and more.
    await runner.eventCount("instance-exited", 12, 30_000);
    const before = cpuMs(runner.pid);
    const from = performance.now();
    await runner.eventCount("instance-exited", 16, 60_000);
    const share = (cpuMs(runner.pid) - before) / (performance.now() - from);
    expect(share).toBeLessThan(0.01);
  }, 90_000);
});

/** CPU time of a process so far, in milliseconds; ticks are 10 ms on Linux. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

describe("stray code in the supervisor", () => {
  it("neither ends nor holds it: said once each, with advice", async () => {
    await using runner = startRunner("stray.mjs");
    const url = await runner.ready(1);
    await runner.eventCount("stray-error", 3);
    expect(runner.events("stray-error").map((line) => line["error"])).toEqual([
      "thrown late at the top level",
      "rejected late at the top level",
      expect.stringContaining("choir/instance"),
    ]);
    expect(runner.events("stray-error")[0]!.msg).toContain("configureServer");
    expect((await ask(url)).body).toBe("served");
    expect(await runner.stop()).toEqual({ code: 0, signal: null });
  });

  it("an app that starts a Runner program gets a second, independent one", async () => {
    await using runner = startRunner("starts-another.mjs");
    const url = await runner.ready(1);
    const inner = JSON.parse((await ask(url)).body) as { url: string; innerPid: number };
    expect(inner.url).not.toBe(url);
    expect((await ask(inner.url)).body).toBe("hello");
    expect(JSON.parse((await ask(`${inner.url}/instance`)).body)).toMatchObject({ id: 0, name: "hello" });
    expect(await runner.stop()).toEqual({ code: 0, signal: null });
    await expect(ask(inner.url)).rejects.toThrow("ECONNREFUSED");
  });
});
