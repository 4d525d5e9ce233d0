/** Under a service manager: what it is told, and the sockets that it passes. */
import { spawn } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { bindSocket } from "../helpers/bound-socket.ts";
import { NotifyRecorder } from "../helpers/notify-recorder.ts";
import { describeWith } from "../helpers/programs.ts";
import { ask, Running, startRunner } from "../helpers/start-runner.ts";

const QUICK = ["--canary-time", "0ms"];

describeWith({ programs: ["systemd-notify", "python3"] }, "the service manager is told", () => {
  it.each(["path", "abstract"] as const)("by a socket of kind %s: start, reload, failed reload, stop", async (kind) => {
    await using recorder = await NotifyRecorder.listen(kind);
    await using runner = startRunner("breaks-when-told.mjs", { args: QUICK, env: { NOTIFY_SOCKET: recorder.socket } });
    await recorder.message("READY=1");

    runner.child.kill("SIGHUP");
    const reloading = await recorder.message("RELOADING=1");
    const usec = Number(/\d+/.exec(reloading[1]!)![0]);
    // Of the same clock as the service manager's.
    expect(Math.abs(Number(process.hrtime.bigint() / 1000n) - usec)).toBeLessThan(60_000_000);
    await recorder.message("READY=1", recorder.messages.indexOf(reloading));
    const before = recorder.messages.length;

    writeFileSync(path.join(runner.folder, "broken"), "");
    runner.child.kill("SIGHUP");
    await recorder.message(/taken back/, before);
    expect(await runner.stop()).toMatchObject({ code: 0 });

    const figures = (line: string): string =>
      line
        .replace(/MONOTONIC_USEC=\d+/, "MONOTONIC_USEC=…")
        .replace(/, \d+ MB.*requests/, "")
        .replace(/after \d.*?s,/, "after …,");
    expect(recorder.story().map((message) => message.map(figures))).toEqual([
      ["STATUS=Starting 1 instance"],
      ["READY=1", "STATUS=1 of 1 instance ready, generation 0"],
      ["RELOADING=1", "MONOTONIC_USEC=…", "STATUS=Rolling restart on SIGHUP: starting generation 1"],
      ["READY=1", "STATUS=1 of 1 instance ready, generation 1"],
      ["RELOADING=1", "MONOTONIC_USEC=…", "STATUS=Rolling restart on SIGHUP: starting generation 2"],
      [
        "READY=1",
        expect.stringMatching(
          /^STATUS=1 of 1 instance ready, generation 1; Rolling restart taken back after …, the old generation serves: .*migration missing/,
        ),
      ],
      ["STOPPING=1", "STATUS=Stopping on SIGTERM: instances finish their open requests"],
    ]);
  });

  it("that it lives, as often as the watchdog asks, and the app finds nothing of it", async () => {
    await using recorder = await NotifyRecorder.listen();
    await using runner = startRunner("hello.mjs", {
      env: { NOTIFY_SOCKET: recorder.socket, WATCHDOG_USEC: "400000" },
    });
    const url = await runner.ready(1);
    const first = await recorder.message("WATCHDOG=1");
    await recorder.message("WATCHDOG=1", recorder.messages.indexOf(first) + 1);
    const env = JSON.parse((await ask(`${url}/env`)).body) as Record<string, unknown>;
    expect(Object.keys(env).filter((name) => /^(NOTIFY|WATCHDOG|LISTEN)_/.test(name))).toEqual([]);
  });

  it("why no instance could be started", async () => {
    await using recorder = await NotifyRecorder.listen();
    await using runner = startRunner("throws-on-start.mjs", {
      args: ["--no-respawn"],
      env: { NOTIFY_SOCKET: recorder.socket },
    });
    expect(await runner.exit()).toMatchObject({ code: 69 });
    expect(recorder.story()).toEqual([["STATUS=Starting 1 instance"], [expect.stringMatching(/^STATUS=.*could/)]]);
  });
});

describe("a service manager that cannot be told", () => {
  it("is no obstacle, and is named once", async () => {
    await using runner = startRunner("hello.mjs", {
      env: { NOTIFY_SOCKET: "/nowhere/notify", WATCHDOG_USEC: "400000" },
    });
    const url = await runner.ready(1);
    await runner.event("notify-failed");
    expect((await ask(url)).body).toBe("hello");
    expect(await runner.stop()).toMatchObject({ code: 0 });
    expect(runner.events("notify-failed")).toHaveLength(1);
  });
});

describe("sockets of a service manager", () => {
  it("are all listened on, by their names, and --port is not", async () => {
    const passed = ["web", "admin"].map((name) => ({ ...bindSocket(), name }));
    await using runner = startRunner("hello.mjs", { passed });
    await runner.ready(1);
    const addresses = passed.map(({ port }) => `127.0.0.1:${port}`);
    expect(runner.events("sockets-passed")).toMatchObject([{ names: ["web", "admin"], addresses }]);
    expect(runner.events("instance-ready")[0]!["urls"]).toEqual(addresses.map((address) => `http://${address}`));
    for (const address of addresses) expect((await ask(`http://${address}`)).body).toBe("hello");
  });

  it("that no instance can listen on end the start with one message", async () => {
    await using runner = startRunner("hello.mjs", { env: { LISTEN_FDS: "1" }, passed: [{ fd: 2, name: "log" }] });
    expect(await runner.exit()).toEqual({ code: 78, signal: null });
    expect(runner.stderr).toContain('Socket "log" of the service manager (descriptor 3) is no listening stream socket');
    expect(runner.stderr).toContain("Accept=yes");
  });

  it("that were meant for another process are left alone, with a warning", async () => {
    await using runner = startRunner("hello.mjs", { env: { LISTEN_FDS: "1", LISTEN_PID: "1" } });
    const url = await runner.ready(1);
    expect((await ask(url)).body).toBe("hello");
    expect(runner.events("sockets-for-another")).toMatchObject([{ pid: 1 }]);
  });
});

/** Starts its arguments again when they were killed, as a service manager does, with the sockets that it was given itself. */
const MANAGER = `
trap 'kill -TERM "$pid"' TERM
while :; do
  sh -c 'LISTEN_PID=$$ exec "$@"' sh "$@" & pid=$!
  wait "$pid"; code=$?
  [ "$code" = 137 ] || exit "$code"
done`;

const HELLO = fileURLToPath(new URL("../fixtures/apps/hello.mjs", import.meta.url));

describeWith({ programs: ["systemd-socket-activate"] }, "socket activation", () => {
  it("starts at the first connection; from then on a kill -9 of the supervisor refuses nobody", async () => {
    const temp = mkdtempSync(path.join(tmpdir(), "choir-activate-"));
    const socketPath = path.join(temp, "web");
    const node = [process.execPath, HELLO, "-j1", "--log-format", "json", "--control", path.join(temp, "control")];
    const child = spawn(
      "systemd-socket-activate",
      ["-l", socketPath, "--fdname=web", "sh", "-c", MANAGER, "sh", ...node],
      { cwd: temp, stdio: ["ignore", "pipe", "pipe"], detached: true },
    );
    await using manager = new Running(child, temp);
    const listening = new Promise<void>((resolve) => {
      child.stderr.on("data", () => {
        if (manager.stderr.includes("Listening on")) resolve();
      });
    });
    await listening;
    const get = (): Promise<number> => statusOf(socketPath);
    expect(await get()).toBe(200);
    expect(manager.events("sockets-passed")).toMatchObject([{ names: ["web"], addresses: [`unix:${socketPath}`] }]);

    const statuses: number[] = [];
    const stopped = new AbortController();
    const clients = Array.from({ length: 4 }, async () => {
      while (!stopped.signal.aborted) statuses.push(await get());
    });
    for (const round of [1, 2]) {
      const starts = await manager.eventCount("starting", round);
      await manager.eventCount("instance-ready", round);
      process.kill(starts.at(-1)!.pid!, "SIGKILL");
      await manager.eventCount("instance-ready", round + 1);
    }
    stopped.abort();
    await Promise.all(clients);
    expect(statuses.length).toBeGreaterThan(10);
    expect(new Set(statuses)).toEqual(new Set([200]));

    process.kill(manager.events("starting").at(-1)!.pid!, "SIGTERM");
    expect(await manager.exit()).toEqual({ code: 0, signal: null });
  });
});

/** The status of an answer on a connection of its own; rejects when it is refused or cut. */
function statusOf(socketPath: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.get({ socketPath, path: "/", agent: false }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode!));
      response.on("error", reject);
    });
    request.on("error", reject);
  });
}
