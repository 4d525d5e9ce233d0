/** From the command line to the first answer and to the last: readiness, hooks, signals, and what is left behind. */
import { existsSync, readFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { ask, isAlive, startRunner, until } from "../helpers/start-runner.ts";

/** The pid of the first process that another one starts, long before that says a word. */
async function firstChild(parent: number): Promise<number> {
  let children = "";
  await until(() => {
    children = readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8");
    return children !== "";
  }, "a child");
  return Number.parseInt(children, 10);
}

describe("start", () => {
  it("serves on one port with all instances, each with its own metadata", async () => {
    await using runner = startRunner("hello.mjs", { instances: 2 });
    const url = await runner.ready(2);
    expect(await ask(url)).toMatchObject({ status: 200, body: "hello" });
    const infos = new Map<string, Record<string, unknown>>();
    await until(async () => {
      const info = JSON.parse((await ask(`${url}/instance`)).body) as Record<string, unknown>;
      infos.set(info["uid"] as string, info);
      return infos.size === 2;
    }, "answers of both instances");
    const found = [...infos.values()].sort((a, b) => Number(a["id"]) - Number(b["id"]));
    expect(found).toMatchObject([
      { id: 0, generation: 0, name: "hello", concurrency: 2, restarts: 0 },
      { id: 1, generation: 0, name: "hello", concurrency: 2, restarts: 0 },
    ]);
    for (const info of found) {
      expect(info["startedAt"]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(isAlive(info["pid"] as number)).toBe(true);
    }
    expect(runner.events("instance-ready")[0]).toMatchObject({ level: 30, name: "hello", generation: 0, url });
  });

  it("gives the app its environment without Choir's own variables", async () => {
    await using runner = startRunner("hello.mjs", {
      env: { CHOIR_START_TIMEOUT: "20s", MINE: "yes" },
      args: ["--", "one", "--two"],
    });
    const url = await runner.ready(1);
    const env = JSON.parse((await ask(`${url}/env`)).body) as Record<string, unknown>;
    expect(env).toMatchObject({ MINE: "yes", NODE_APP_INSTANCE: "0", NODE_ENV: "production" });
    expect(Object.keys(env).filter((name) => name.startsWith("CHOIR_"))).toEqual([]);
    expect((env["argv"] as string[]).slice(2)).toEqual(["one", "--two"]);
    // In a container with a memory limit each instance has its share of it.
    expect((env["execArgv"] as string[]).filter((flag) => !flag.startsWith("--max-old-space-size"))).toEqual([]);
  });

  it("gives the app as much room for new objects as it needs, once it serves", async () => {
    await using runner = startRunner("hello.mjs");
    const url = await runner.ready(1);
    expect(Number((await ask(`${url}/young-growth`)).body)).toBeGreaterThan(1);
  });

  it("keeps NODE_ENV when it is set, and passes node's own flags on", async () => {
    await using runner = startRunner("hello.mjs", {
      env: { NODE_ENV: "staging" },
      execArgv: ["--stack-trace-limit=7"],
    });
    const url = await runner.ready(1);
    expect(JSON.parse((await ask(`${url}/env`)).body)).toMatchObject({
      NODE_ENV: "staging",
      execArgv: expect.arrayContaining(["--stack-trace-limit=7"]) as string[],
    });
  });

  it("with ready: manual listens only when the app says so, and runs the hooks in their order", async () => {
    await using runner = startRunner("manual-ready.mjs");
    await runner.ready(1);
    await runner.stop();
    const order = runner.lines.filter((line) => line.instance === 0).map((line) => line.event ?? line.msg);
    expect(order).toEqual([
      "configured",
      "startup hook",
      "says ready",
      "instance-ready",
      "registered hook",
      "shutdown hook",
      "run() has returned",
      "instance-exited",
    ]);
  });
});

describe("the readiness path", () => {
  it("is asked before the instance listens, until it answers well", async () => {
    await using runner = startRunner("slow-health.mjs", { args: ["--readiness-path", "/healthz"] });
    const url = await runner.ready(1);
    // The app counts what it was asked before anybody could connect.
    expect(JSON.parse((await ask(`${url}/asked`)).body)).toEqual([503, 503, 200]);
    expect(runner.lines.filter((line) => line.msg === "Not ready yet")).toMatchObject([
      { answer: "status 503", level: 40 },
    ]);
  });

  it("that never answers well ends the start at --start-timeout", async () => {
    await using runner = startRunner("hello.mjs", { args: ["--readiness-path", "/nowhere", "--start-timeout", "4s"] });
    expect(await runner.exit()).toEqual({ code: 69, signal: null });
    expect(runner.lines.find((line) => line.msg === "Not ready yet")).toMatchObject({ answer: "status 404" });
    expect(runner.stderr).toContain("--readiness-path");
  });
});

describe("stop", () => {
  it.each(["SIGTERM", "SIGINT"] as const)(
    "on %s answers what is in flight, exits with 0 and leaves nothing",
    async (signal) => {
      await using runner = startRunner("hello.mjs", { instances: 2 });
      const url = await runner.ready(2);
      const answers = Array.from({ length: 20 }, () => ask(`${url}/slow/600`));
      // Every request has reached its handler when a later one has been answered by each instance.
      await Promise.all(Array.from({ length: 20 }, () => ask(url)));
      runner.child.kill(signal);
      expect((await Promise.all(answers)).map((answer) => answer.body)).toEqual(
        Array.from({ length: 20 }, () => "slow"),
      );
      expect(await runner.exit()).toEqual({ code: 0, signal: null });
      expect(runner.survivors()).toEqual([]);
      expect(runner.events("stopping")).toMatchObject([{ by: signal }]);
      expect(runner.events("stopped")).toMatchObject([{ code: 0 }]);
      expect(runner.lines.filter((line) => line.msg === "hook ran")).toHaveLength(2);
      await expect(ask(url)).rejects.toThrow("ECONNREFUSED");
    },
  );

  it("on Ctrl-C, which reaches the whole process group, does the same", async () => {
    await using runner = startRunner("hello.mjs", { instances: 2 });
    const url = await runner.ready(2);
    const answers = Array.from({ length: 10 }, () => ask(`${url}/slow/600`));
    await Promise.all(Array.from({ length: 20 }, () => ask(url)));
    process.kill(-runner.pid, "SIGINT");
    // Some shells pass it on a second time.
    process.kill(-runner.pid, "SIGINT");
    expect((await Promise.all(answers)).map((answer) => answer.status)).toEqual(Array.from({ length: 10 }, () => 200));
    expect(await runner.exit()).toEqual({ code: 0, signal: null });
    expect(runner.survivors()).toEqual([]);
  });

  it("at --shutdown-timeout kills, names the open request without its query, and exits with 1", async () => {
    await using runner = startRunner("hello.mjs", { args: ["--shutdown-timeout", "700ms"] });
    const url = await runner.ready(1);
    const stuck = ask(`${url}/slow/60000?secret=1`).catch((error: Error) => error.message);
    await ask(url);
    runner.child.kill("SIGTERM");
    expect(await runner.exit()).toEqual({ code: 1, signal: null });
    expect(await stuck).toMatch(/socket hang up|ECONNRESET/);
    expect(runner.events("instance-killed")).toMatchObject([
      { instance: 0, openRequests: [{ method: "GET", path: "/slow/60000" }] },
    ]);
    expect(runner.transcript()).not.toContain("secret");
  });

  it("at a second signal, more than a second after the first, kills at once and exits with 1", async () => {
    await using runner = startRunner("hello.mjs");
    const url = await runner.ready(1);
    const stuck = ask(`${url}/slow/60000`).catch(() => "cut");
    await ask(url);
    runner.child.kill("SIGTERM");
    const { time } = await runner.event("stopping");
    await until(() => Date.now() > time + 1100, "more than a second");
    runner.child.kill("SIGTERM");
    expect(await runner.exit(3000)).toEqual({ code: 1, signal: null });
    expect(await stuck).toBe("cut");
  });

  it("stops while it still starts", async () => {
    await using runner = startRunner("never-ready.mjs", { instances: 2 });
    await runner.event("starting");
    runner.child.kill("SIGTERM");
    expect(await runner.exit()).toEqual({ code: 0, signal: null });
  });

  it("does not listen any more when the start gets done after the order to stop", async () => {
    await using runner = startRunner("late-start.mjs");
    await runner.line((line) => line.msg === "configuring", "configureServer");
    expect(await runner.stop()).toEqual({ code: 0, signal: null });
    const said = runner.lines.filter((line) => line["stream"] === "stdout").map((line) => line.msg);
    expect(said).toEqual(["configuring", "configured"]);
  });

  it("when the supervisor is killed, instances end and the port is free", async () => {
    await using runner = startRunner("hello.mjs", { instances: 2 });
    const url = await runner.ready(2);
    const pids = runner.survivors();
    expect(pids).toHaveLength(2);
    const answer = ask(`${url}/slow/300`);
    await ask(url);
    runner.child.kill("SIGKILL");
    expect((await answer).body).toBe("slow");
    await until(() => pids.every((pid) => !isAlive(pid)), "both instances to end");
    const port = Number(new URL(url).port);
    const server = net.createServer();
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
    server.close();
  });

  it("when the supervisor is killed while an instance's process only begins, that one ends too", async () => {
    await using runner = startRunner("hello.mjs");
    const pid = await firstChild(runner.pid);
    runner.child.kill("SIGKILL");
    await until(() => !isAlive(pid), "the instance to end", 10_000);
  });

  it("an instance's own SIGTERM replaces it before it drains", async () => {
    await using runner = startRunner("hello.mjs");
    const url = await runner.ready(1);
    const { pid } = await runner.event("instance-ready");
    process.kill(pid!, "SIGTERM");
    const [, second] = await runner.eventCount("instance-ready", 2);
    expect(second).toMatchObject({ instance: 0 });
    await runner.event("instance-exited", { pid, reason: "left", code: 0 });
    expect((await ask(url)).body).toBe("hello");
  });
});

describe("Unix sockets", () => {
  it("listens with the mode asked for, replaces a stale file, refuses a live one, removes it at the end", async () => {
    await using first = startRunner("hello.mjs", { args: ["-a", "unix:app.sock", "--socket-mode", "0600"] });
    const url = await first.ready(1);
    const file = path.join(first.temp, "app.sock");
    expect(url).toBe(`unix:${file}`);
    expect(await ask("http://localhost/", { socketPath: file })).toMatchObject({ body: "hello" });
    const { statSync } = await import("node:fs");
    expect(statSync(file).mode & 0o777).toBe(0o600);

    await using rival = startRunner("hello.mjs", { args: ["-a", `unix:${file}`, "--bind-retry", "200ms"] });
    expect(await rival.exit()).toEqual({ code: 69, signal: null });
    expect(rival.stderr).toContain("already in use");
    expect(await ask("http://localhost/", { socketPath: file })).toMatchObject({ body: "hello" });

    const pids = first.survivors();
    first.child.kill("SIGKILL");
    await until(() => pids.every((pid) => !isAlive(pid)), "the instance to end");
    expect(existsSync(file)).toBe(true);

    await using second = startRunner("hello.mjs", { args: ["-a", `unix:${file}`] });
    await second.ready(1);
    expect(await ask("http://localhost/", { socketPath: file })).toMatchObject({ body: "hello" });
    expect(await second.stop()).toEqual({ code: 0, signal: null });
    expect(existsSync(file)).toBe(false);
  });
});

describe("addresses", () => {
  it("listens on several at once, IPv6 and Unix among them, with one port for port 0", async () => {
    await using runner = startRunner("hello.mjs", {
      args: ["-a", "127.0.0.1", "-a", "::1", "-a", "unix:app.sock"],
      instances: 2,
    });
    await runner.ready(2);
    const urls = (await runner.event("instance-ready"))["urls"] as string[];
    expect(urls).toHaveLength(3);
    expect(urls[0]).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(urls[1]).toMatch(/^http:\/\/\[::1\]:\d+$/);
    expect((await ask(urls[0]!)).body).toBe("hello");
    expect((await ask(urls[1]!)).body).toBe("hello");
    expect((await ask("http://localhost/", { socketPath: path.join(runner.temp, "app.sock") })).body).toBe("hello");
    expect(await runner.stop()).toEqual({ code: 0, signal: null });
  });

  it("listens on :: for IPv4 too", async () => {
    await using runner = startRunner("hello.mjs", { args: ["-a", "::"] });
    const { port } = new URL(await runner.ready(1));
    expect((await ask(`http://127.0.0.1:${port}/`)).body).toBe("hello");
    expect((await ask(`http://[::1]:${port}/`)).body).toBe("hello");
  });

  it("waits for an address in use until --bind-retry", async () => {
    const blocker = net.createServer();
    await new Promise<void>((resolve) => {
      blocker.listen(0, "127.0.0.1", resolve);
    });
    const { port } = blocker.address() as net.AddressInfo;
    await using runner = startRunner("hello.mjs", {
      bare: true,
      args: ["-p", String(port), "-j", "1", "--log-format", "json", "--bind-retry", "10s"],
    });
    // The supervisor has found the address in use when it has been running for a while and nothing is ready.
    await until(() => runner.pid > 0, "the program");
    blocker.close();
    expect(new URL(await runner.ready(1)).port).toBe(String(port));
  });
});
