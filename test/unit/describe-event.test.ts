import { describe, expect, it } from "vitest";
import { describeDuration, describeEvent } from "../../src/describe-event.ts";
import type { ChoirEvent, ExitReason } from "../../src/events.ts";

const WHO = { instance: 1, generation: 0, pid: 124 } as const;

function exited(reason: ExitReason, more: Partial<Extract<ChoirEvent, { event: "instance-exited" }>> = {}): ChoirEvent {
  return {
    event: "instance-exited",
    ...WHO,
    reason,
    code: 1,
    signal: null,
    uptimeMs: 3200,
    respawnMs: null,
    repeated: false,
    ...more,
  };
}

const SIGKILL = { code: null, signal: "SIGKILL" } as const;
const URLS = ["http://127.0.0.1:3000", "http://[::1]:3000"] as const;

const EXPIRING = {
  event: "certificate-expiring",
  file: "/tls/a.pem",
  validFrom: "2026-10-02T03:04:05.000Z",
  validTo: "2027-01-02T03:04:05.000Z",
} as const;

const SENTENCES: [ChoirEvent, string, string][] = [
  [
    { event: "log-level-changed", to: "debug", was: "info", by: "choir logs" },
    "info",
    "Log level debug on choir logs, was info",
  ],
  [{ event: "logs-reopened", by: "choir logs" }, "info", "Log files reopened on choir logs"],
  [
    { event: "dashboard-listening", url: "http://[::1]:9465/", steers: false },
    "info",
    "Dashboard at http://[::1]:9465/ (it only shows: it has no token)",
  ],
  [
    { event: "dashboard-listening", url: "http://[::1]:9465/", steers: true },
    "info",
    "Dashboard at http://[::1]:9465/ (its buttons need the token: #token=… behind the URL)",
  ],
  [{ event: "metrics-listening", url: "http://[::1]:9464/metrics" }, "info", "Metrics at http://[::1]:9464/metrics"],
  [
    { event: "health-listening", url: "http://127.0.0.1:9000" },
    "info",
    "Health endpoints /livez and /readyz at http://127.0.0.1:9000",
  ],
  [
    { event: "no-init", why: "there is no /bin/sh" },
    "warn",
    "Running as PID 1 without an init, since there is no /bin/sh: processes that instances leave behind stay as zombies",
  ],
  [
    { event: "heap-shared", heapMiB: 224, limitBytes: 512 * 2 ** 20, isNew: false },
    "info",
    "The heap of each instance may grow to 224 MiB, its share of the 512 MiB of the control group",
  ],
  [
    { event: "heap-shared", heapMiB: 112, limitBytes: 512 * 2 ** 20, isNew: true },
    "info",
    "The heap of each new instance may grow to 112 MiB, its share of the 512 MiB of the control group",
  ],
  [
    { event: "sockets-passed", names: ["web", "admin"], addresses: ["0.0.0.0:80", "unix:/run/admin"] },
    "info",
    "Listening on 2 sockets passed by the service manager (web, admin) at 0.0.0.0:80 and unix:/run/admin: --address and --port are not used",
  ],
  [
    { event: "sockets-unused", addresses: ["0.0.0.0:80"], urls: ["http://[::]:3000"] },
    "warn",
    "Nobody listens on 0.0.0.0:80, passed by the service manager: the app listens at http://[::]:3000",
  ],
  [
    { event: "sockets-for-another", pid: 12 },
    "warn",
    "The service manager passed its sockets to process 12, not to this one: they are not used",
  ],
  [
    { event: "notify-failed", error: "spawn systemd-notify ENOENT" },
    "warn",
    "The service manager cannot be told how the service is doing: spawn systemd-notify ENOENT",
  ],
  [
    {
      event: "certificate-loaded",
      file: "/tls/a.pem",
      names: "a.example, b.example",
      serial: "0A",
      validTo: "2027-01-02T03:04:05.000Z",
    },
    "info",
    "Certificate of a.example, b.example loaded from /tls/a.pem, valid until 2027-01-02 03:04 UTC",
  ],
  [
    { event: "certificate-refused", file: "/tls/a.pem", error: "it is empty" },
    "error",
    "The changed certificate is refused and the one before stays in use: it is empty",
  ],
  [
    { ...EXPIRING, state: "expiring" },
    "warn",
    "The certificate in /tls/a.pem expires on 2027-01-02 03:04 UTC: renew it",
  ],
  [
    { ...EXPIRING, state: "expired" },
    "error",
    "The certificate in /tls/a.pem expired on 2027-01-02 03:04 UTC: clients refuse it",
  ],
  [
    { ...EXPIRING, state: "not-yet-valid" },
    "error",
    "The certificate in /tls/a.pem is not valid before 2026-10-02 03:04 UTC: clients refuse it",
  ],
  [
    { event: "http1-only", app: "An Express app" },
    "warn",
    "An Express app cannot speak HTTP/2: clients are offered HTTP/1.1 over TLS only",
  ],
  [
    { event: "starting", name: "example", instances: 2, addresses: ["http://0.0.0.0:3000"], pid: 1, version: "0.1.0" },
    "info",
    "Starting example with Choir 0.1.0: 2 instances at http://0.0.0.0:3000",
  ],
  [
    { event: "instance-ready", ...WHO, url: URLS[0], urls: [URLS[0]], startMs: 85 },
    "info",
    "Instance 1 listening at http://127.0.0.1:3000 (pid 124, ready in 85 ms)",
  ],
  [
    { event: "instance-ready", ...WHO, url: URLS[0], urls: URLS, startMs: 85 },
    "info",
    "Instance 1 listening at http://127.0.0.1:3000 and http://[::1]:3000 (pid 124, ready in 85 ms)",
  ],
  [
    { event: "instance-start-failed", ...WHO, error: "bad", code: "E1", stack: "Error: bad" },
    "error",
    "Instance 1 (pid 124) could not start: bad (E1)",
  ],
  [exited("asked", { code: 0 }), "info", "Instance 1 (pid 124) stopped after 3.2 s"],
  [exited("asked"), "warn", "Instance 1 (pid 124) stopped as asked, but with exit code 1, after 3.2 s"],
  [
    exited("crashed", { respawnMs: 0 }),
    "error",
    "Instance 1 (pid 124) crashed: exit code 1 after 3.2 s; respawning at once",
  ],
  [
    exited("crashed", { ...SIGKILL, respawnMs: 250 }),
    "error",
    "Instance 1 (pid 124) was killed by SIGKILL that nobody here sent (perhaps the kernel's, out of memory), after 3.2 s; respawning in 250 ms",
  ],
  [exited("crashed"), "error", "Instance 1 (pid 124) crashed: exit code 1 after 3.2 s; not respawned"],
  [
    exited("start-failed", { respawnMs: 1000 }),
    "error",
    "Instance 1 (pid 124) ended before it was ready: exit code 1 after 3.2 s; respawning in 1 s",
  ],
  [
    exited("start-timeout", { ...SIGKILL, uptimeMs: 60_000, respawnMs: 0 }),
    "error",
    "Instance 1 (pid 124) was not ready by --start-timeout and was killed after 1 min; respawning at once",
  ],
  [exited("killed", SIGKILL), "warn", "Instance 1 (pid 124) ended by the kill after 3.2 s"],
  [
    exited("left", { code: 0, respawnMs: 0 }),
    "info",
    "Instance 1 (pid 124) drained and ended, since it got a SIGTERM of its own, after 3.2 s; respawning at once",
  ],
  [
    exited("broken-pipe", { respawnMs: 0 }),
    "error",
    "Instance 1 (pid 124) ended since its pub/sub pipe broke: exit code 1 after 3.2 s; respawning at once",
  ],
  [
    exited("uncaught"),
    "error",
    "Instance 1 (pid 124) drained and ended after an uncaught error: exit code 1, after 3.2 s",
  ],
  [
    { event: "instance-leaving", ...WHO, reason: "uncaught" },
    "info",
    "Instance 1 (pid 124) had an uncaught error: it drains as soon as its replacement is ready",
  ],
  [
    { event: "instance-leaving", ...WHO, reason: "left" },
    "info",
    "Instance 1 (pid 124) got a SIGTERM of its own: it drains as soon as its replacement is ready",
  ],
  [
    exited("unresponsive", { ...SIGKILL, respawnMs: 0 }),
    "error",
    "Instance 1 (pid 124) was killed, since it was unresponsive, after 3.2 s; respawning at once",
  ],
  [
    exited("out-of-memory", { code: null, signal: "SIGABRT", respawnMs: 0, note: "its JavaScript heap was full" }),
    "error",
    "Instance 1 (pid 124) ran out of memory: its JavaScript heap was full, after 3.2 s; respawning at once",
  ],
  [
    exited("crashed", { ...SIGKILL, note: "perhaps out of memory" }),
    "error",
    "Instance 1 (pid 124) was killed by SIGKILL that nobody here sent (perhaps out of memory), after 3.2 s; not respawned",
  ],
  [
    exited("max-requests", { code: 0 }),
    "info",
    "Instance 1 (pid 124) drained and ended, as planned (reached --max-requests), after 3.2 s",
  ],
  [
    exited("heap", SIGKILL),
    "warn",
    "Instance 1 (pid 124) ended as planned (little JavaScript heap left), but with killed by SIGKILL, after 3.2 s",
  ],
  [
    { event: "instance-leaving", ...WHO, reason: "max-age" },
    "debug",
    "Instance 1 (pid 124) has reached --max-age: it drains as soon as its replacement is ready",
  ],
  [
    { event: "instance-recycled", ...WHO, reason: "max-requests", value: 10_012, limit: 9876, early: false },
    "info",
    "Instance 1 (pid 124) has answered 10,012 requests (--max-requests, here 9,876): it drains as soon as its replacement is ready",
  ],
  [
    { event: "instance-recycled", ...WHO, reason: "max-age", value: 7_500_000, limit: 7_200_000, early: false },
    "info",
    "Instance 1 (pid 124) has been ready for 2 h 5 min (--max-age, here 2 h): it drains as soon as its replacement is ready",
  ],
  [
    { event: "instance-recycled", ...WHO, reason: "max-memory", value: 5.12e8, limit: 5e8, early: true },
    "warn",
    "Instance 1 (pid 124) uses 512 MB of memory (--max-memory 500 MB): it drains as soon as its replacement is ready",
  ],
  [
    { event: "instance-recycled", ...WHO, reason: "heap", value: 0.934, limit: 0.9, early: false },
    "info",
    "Instance 1 (pid 124) has filled 93 % of its JavaScript heap (--max-old-space-size): it drains as soon as its replacement is ready",
  ],
  [
    { event: "instance-unresponsive", ...WHO, silentMs: 30_200, state: "running", stack: [], openRequests: [] },
    "error",
    "Instance 1 (pid 124) has not been heard of for 30.2 s, its event loop is blocked: it is killed",
  ],
  [
    { event: "instance-unresponsive", ...WHO, silentMs: 30_200, state: "stopped", stack: [], openRequests: [] },
    "error",
    "Instance 1 (pid 124) has not been heard of for 30.2 s, its process is stopped: it is killed",
  ],
  [
    { event: "instance-killed", ...WHO, why: "still open at --shutdown-timeout", openRequests: [] },
    "error",
    "Instance 1 (pid 124) killed: still open at --shutdown-timeout",
  ],
  [
    { event: "pubsub-overload", ...WHO, dropped: 1200, droppedBytes: 1 },
    "warn",
    "Instance 1 (pid 124) reads its pub/sub messages too slowly and loses the oldest until it has caught up: 1,200 messages so far, 1 byte",
  ],
  [
    { event: "pubsub-recovered", ...WHO, dropped: 1, droppedBytes: 2048 },
    "info",
    "Instance 1 (pid 124) reads its pub/sub messages again: it lost 1 message, 2,048 bytes",
  ],
  [
    { event: "pubsub-broken", ...WHO, error: "frame of 4 GB" },
    "error",
    "Instance 1 (pid 124) wrote something to its pub/sub pipe that is no frame, and is replaced: frame of 4 GB",
  ],
  [
    { event: "log-lines-lost", sink: "console", lines: 1234 },
    "warn",
    "1,234 log lines not written to the console: its reader was too slow or its disk full",
  ],
  [
    { event: "log-lines-lost", sink: "/var/log/a.log", lines: 1 },
    "warn",
    "1 log line not written to /var/log/a.log: its reader was too slow or its disk full",
  ],
  [
    { event: "log-file-failed", file: "/a.log", trouble: "write", error: "ENOSPC: no space", code: "ENOSPC" },
    "error",
    "Log file /a.log cannot be written, and is tried again; lines are kept as far as there is room: ENOSPC: no space",
  ],
  [
    { event: "log-file-failed", file: "/a.log", trouble: "rotate", error: "EACCES: denied", code: "EACCES" },
    "error",
    "Log file /a.log cannot be renamed, and grows until it can: EACCES: denied",
  ],
  [
    { event: "log-file-recovered", file: "/a.log", trouble: "write", lostLines: 2, failedMs: 3000 },
    "error",
    "Log file /a.log: written again after 3 s, 2 lines lost",
  ],
  [
    { event: "log-file-recovered", file: "/a.log", trouble: "clean-up", lostLines: 0, failedMs: 3000 },
    "info",
    "Log file /a.log: rotated files compressed and deleted again after 3 s",
  ],
  [{ event: "all-crashed" }, "fatal", "Every instance has ended and --no-respawn forbids to start new ones: stopping"],
  [{ event: "stopping", by: "SIGTERM" }, "info", "Stopping on SIGTERM: instances finish their open requests"],
  [{ event: "stop-forced", by: "SIGINT" }, "warn", "Stopping at once on SIGINT: instances that are left are killed"],
  [{ event: "stopped", code: 0 }, "info", "Stopped"],
  [{ event: "stopped", code: 1 }, "error", "Stopped with exit code 1"],
  [
    { event: "stray-error", error: "bad", stack: "Error: bad" },
    "error",
    "Uncaught error in the supervisor, which carries on: bad. The top level of the entry file runs in the supervisor too: move what belongs to the app into configureServer",
  ],
];

describe("describeEvent", () => {
  it.each(SENTENCES)("%j", (event, level, message) => {
    expect(describeEvent(event)).toMatchObject({ level, message });
  });

  it("says how to listen for all only when nobody else can connect", () => {
    const starting = (...addresses: string[]) =>
      describeEvent({ event: "starting", name: "example", instances: 1, addresses, pid: 1, version: "0.1.0" }).detail;
    for (const local of ["http://127.0.0.1:3000", "127.0.0.1:3000", "https://[::1]:3000", "localhost:3000"]) {
      expect(starting(local)).toMatch(/--address 0\.0\.0\.0$/);
    }
    expect(starting("0.0.0.0:3000")).toBeUndefined();
    expect(starting("127.0.0.1:3000", "10.0.0.1:3000")).toBeUndefined();
    expect(starting("unix:/run/app.sock")).toBeUndefined();
  });

  it("lists the requests that were open, as many as can be read", () => {
    const openRequests = Array.from({ length: 23 }, () => ({ method: "GET", path: "/slow", ageMs: 31_000 }));
    const killed = describeEvent({ event: "instance-killed", ...WHO, why: "too long", openRequests });
    expect(killed.message).toBe("Instance 1 (pid 124) killed: too long; 23 requests still open");
    const lines = killed.detail?.split("\n") ?? [];
    expect(lines).toHaveLength(21);
    expect([lines[0], lines[20]]).toEqual(["GET /slow open for 31 s", "and 3 more"]);
  });

  it("shows what blocks an instance, or says why that is not known", () => {
    const unresponsive = { event: "instance-unresponsive", ...WHO, silentMs: 30_000, state: "running" } as const;
    const openRequests = [{ method: "GET", path: "/spin", ageMs: 31_000 }];
    expect(describeEvent({ ...unresponsive, stack: ["at spin (/app.js:3:1)"], openRequests }).detail).toBe(
      "Blocked\n    at spin (/app.js:3:1)\nOpen requests:\n    GET /spin open for 31 s",
    );
    expect(describeEvent({ ...unresponsive, stack: [], missing: "it sleeps", openRequests: [] }).detail).toBe(
      "No stack: it sleeps",
    );
  });

  it("gives advice on a memory limit that is hardly more than what the app needs", () => {
    const recycled = { event: "instance-recycled", ...WHO, reason: "max-memory", value: 2, limit: 1 } as const;
    expect(describeEvent({ ...recycled, early: true }).detail).toContain("raise the limit");
    expect(describeEvent({ ...recycled, early: false }).detail).toBeUndefined();
  });

  it("shows the stack of what failed", () => {
    const stack = "Error: bad\n    at f";
    expect(describeEvent({ event: "instance-start-failed", ...WHO, error: "bad", stack }).detail).toBe(stack);
    expect(describeEvent({ event: "stray-error", error: "bad", stack }).detail).toBe(stack);
  });
});

describe("describeDuration", () => {
  it.each([
    [0, "0 ms"],
    [0.4, "0 ms"],
    [999.4, "999 ms"],
    [999.6, "1 s"],
    [3249, "3.2 s"],
    [59_949, "59.9 s"],
    [59_999, "1 min"],
    [250_000, "4 min 10 s"],
    [3_599_999, "1 h"],
    [7_500_000, "2 h 5 min"],
    [86_400_000, "1 d"],
    [273_600_000, "3 d 4 h"],
  ])("%d ms is %s", (ms, text) => {
    expect(describeDuration(ms)).toBe(text);
  });
});
