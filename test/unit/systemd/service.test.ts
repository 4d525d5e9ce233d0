// What is said to the service manager, message by message: start, reload, failed reload, stop, watchdog.
import { describe, expect, it } from "vitest";
import type { ChoirEvent } from "../../../src/events.ts";
import type { Snapshot } from "../../../src/supervisor/snapshot.ts";
import type { NotifyMessage } from "../../../src/systemd/sender.ts";
import { Service, statusLine } from "../../../src/systemd/service.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";
import { SNAPSHOT } from "../../helpers/snapshots.ts";

const EXTEND = "EXTEND_TIMEOUT_USEC=30000000";
const READY: ChoirEvent = {
  event: "instance-ready",
  instance: 0,
  generation: 0,
  pid: 1,
  url: "http://x",
  urls: ["http://x"],
  startMs: 5,
};
const RESTART: ChoirEvent = { event: "restart-started", generation: 1, by: "SIGHUP" };
const DONE: ChoirEvent = { event: "restart-finished", generation: 1, outcome: "done", durationMs: 4000 };
const FAILED: ChoirEvent = {
  event: "restart-finished",
  generation: 1,
  outcome: "failed",
  durationMs: 4000,
  error: "no\nway",
};
const FIGURES = "2 of 2 instances ready, generation 0";

function setUp(watchdogMs?: number) {
  const clock = new FakeClock();
  const sent: NotifyMessage[] = [];
  let snapshot: Snapshot = { ...SNAPSHOT, generation: 0, ready: 2, slots: [] };
  const service = new Service({
    send: (message) => sent.push(message),
    snapshot: () => snapshot,
    clock,
    monotonicUsec: () => 123_456n,
    watchdogMs,
  });
  return {
    service,
    clock,
    sent,
    /** What has been sent since the last call. */
    take: () => sent.splice(0),
    change: (next: Partial<Snapshot>) => {
      snapshot = { ...snapshot, ...next };
    },
  };
}

/** A service that has started. */
function started(watchdogMs?: number) {
  const all = setUp(watchdogMs);
  all.service.start();
  all.service.handle(READY);
  all.take();
  return all;
}

describe("a start", () => {
  it("is prolonged until the first instance is ready, and is ready then, once", () => {
    const { service, clock, take } = setUp();
    service.start();
    expect(take()).toEqual([["STATUS=Starting 2 instances", EXTEND]]);
    clock.advance(20_000);
    expect(take()).toEqual([[EXTEND], [EXTEND]]);
    service.handle(READY);
    expect(take()).toEqual([["READY=1", `STATUS=${FIGURES}`]]);
    service.handle({ ...READY, instance: 1 });
    clock.advance(60_000);
    expect(take()).toEqual([]);
  });

  it("that fails says why", () => {
    const { service, clock, take } = setUp();
    service.start();
    take();
    service.end("No instance could be started: x");
    expect(take()).toEqual([["STATUS=No instance could be started: x"]]);
    clock.advance(60_000);
    expect(take()).toEqual([]);
    expect(clock.timers).toBe(0);
  });

  it("takes no reload before it is ready", () => {
    const { service, take } = setUp();
    service.start();
    take();
    service.handle(RESTART);
    service.handle(DONE);
    expect(take()).toEqual([]);
    service.handle(READY);
    expect(take()).toEqual([["READY=1", `STATUS=${FIGURES}`]]);
  });
});

describe("a reload", () => {
  it("has its time, is prolonged, and ends in ready", () => {
    const { service, clock, take, change } = started();
    service.handle(RESTART);
    expect(take()).toEqual([
      ["RELOADING=1", "MONOTONIC_USEC=123456", "STATUS=Rolling restart on SIGHUP: starting generation 1", EXTEND],
    ]);
    clock.advance(10_000);
    expect(take()).toEqual([[EXTEND]]);
    change({ generation: 1 });
    service.handle(DONE);
    expect(take()).toEqual([["READY=1", "STATUS=2 of 2 instances ready, generation 1"]]);
    clock.advance(10_000);
    expect(take()).toEqual([]);
  });

  it("that fails is ready again, and the reason stays, on one line, until the next one", () => {
    const { service, take } = started();
    service.handle(RESTART);
    take();
    service.handle(FAILED);
    expect(take()).toEqual([
      ["READY=1", `STATUS=${FIGURES}; Rolling restart taken back after 4 s, the old generation serves: no way`],
    ]);
    service.handle(RESTART);
    service.handle(DONE);
    expect(take().at(-1)).toEqual(["READY=1", `STATUS=${FIGURES}`]);
  });

  it("that a stop ends says no more", () => {
    const { service, take } = started();
    service.handle(RESTART);
    service.handle({ event: "stopping", by: "SIGTERM" });
    take();
    service.handle({ ...DONE, outcome: "stopped" });
    service.handle(READY);
    expect(take()).toEqual([]);
  });
});

describe("a stop", () => {
  it("is prolonged until the end", () => {
    const { service, clock, take } = started();
    service.handle({ event: "stopping", by: "SIGTERM" });
    expect(take()).toEqual([
      ["STOPPING=1", "STATUS=Stopping on SIGTERM: instances finish their open requests", EXTEND],
    ]);
    clock.advance(10_000);
    expect(take()).toEqual([[EXTEND]]);
    service.end();
    clock.advance(60_000);
    expect(take()).toEqual([]);
  });
});

describe("a watchdog", () => {
  it("is fed at half its time, whatever else happens", () => {
    const { service, clock, take } = started(3000);
    clock.advance(3000);
    expect(take()).toEqual([["WATCHDOG=1"], ["WATCHDOG=1"]]);
    service.handle(RESTART);
    service.handle({ event: "stopping", by: "SIGTERM" });
    take();
    clock.advance(1500);
    expect(take()).toEqual([["WATCHDOG=1"]]);
  });
});

describe("the status", () => {
  it("follows the figures, when they have changed", () => {
    const { clock, take, change } = started();
    clock.advance(9999);
    expect(take()).toEqual([]);
    change({ ready: 1 });
    clock.advance(1);
    expect(take()).toEqual([["STATUS=1 of 2 instances ready, generation 0"]]);
  });

  it("sums what instances say of themselves", () => {
    expect(statusLine(SNAPSHOT)).toBe("1 of 2 instances ready, generation 2, 58 MB, 12345 requests");
    expect(statusLine({ ...SNAPSHOT, instances: 1, slots: [] })).toBe("1 of 1 instance ready, generation 2");
  });
});
