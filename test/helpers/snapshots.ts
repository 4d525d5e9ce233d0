/** A snapshot as a supervisor with two slots would give it. */
import type { Snapshot, Traffic } from "../../src/supervisor/snapshot.ts";

const BUSY: Traffic = { requestsPerSecond: 812.4, errorsPerSecond: 0.2, abortedPerSecond: 0, p50Ms: 1.42, p99Ms: 23.1 };
const QUIET: Traffic = { requestsPerSecond: 0, errorsPerSecond: 0, abortedPerSecond: 0, p50Ms: null, p99Ms: null };

export const SNAPSHOT: Snapshot = {
  name: "example",
  version: "1.2.3",
  pid: 4000,
  startedAt: "2027-01-15T08:00:00.000Z",
  state: "running",
  generation: 2,
  instances: 2,
  ready: 1,
  urls: ["http://127.0.0.1:3000"],
  traffic: BUSY,
  slots: [
    {
      id: 0,
      restarts: 3,
      traffic: BUSY,
      instances: [
        {
          uid: "u0",
          pid: 4010,
          generation: 2,
          state: "ready",
          uptimeMs: 250_000,
          heardMs: 400,
          traffic: BUSY,
          statistics: {
            requests: 12_345,
            inFlight: 3,
            connections: 7,
            upgraded: 2,
            rss: 58_400_000,
            heapFill: 0.1,
            heapUsed: 1,
            heapLimit: 2,
            cpu: 0.5,
            loopDelayMean: 0.4,
            loopDelayMax: 12.4,
            utilization: 0.2,
          },
        },
        {
          uid: "u1",
          pid: 4002,
          generation: 1,
          state: "draining",
          uptimeMs: 3_600_000,
          heardMs: null,
          statistics: null,
          traffic: QUIET,
        },
      ],
      lastExit: { reason: "crashed", code: null, signal: "SIGKILL", at: "2027-01-15T08:59:00.000Z" },
    },
    {
      id: 1,
      restarts: 0,
      traffic: QUIET,
      instances: [],
      lastExit: { reason: "crashed", code: 1, signal: null, at: "2027-01-15T08:59:59.000Z" },
    },
  ],
  lastRestart: { outcome: "failed", generation: 3, error: "x\u001B[2Jy", durationMs: 1500 },
  engine: null,
  logs: {
    lines: { trace: 0, debug: 0, info: 20, warn: 1, error: 2, fatal: 0 },
    cut: 4,
    lost: { console: 3, "/var/log/a.log": 0 },
    writtenBytes: { console: 5000, "/var/log/a.log": 5100 },
  },
};
