// What the dashboard's page makes of snapshots and events, without a browser.
import { describe, expect, it } from "vitest";
import { headlineOf, problemsOf } from "../../../../../src/control/dashboard/page/problems.ts";
import { rolloutView } from "../../../../../src/control/dashboard/page/rollout.ts";
import { slotRows } from "../../../../../src/control/dashboard/page/slot-rows.ts";
import {
  NO_STATE,
  type PageState,
  withEvent,
  withHistory,
  withLater,
  withSnapshot,
} from "../../../../../src/control/dashboard/page/state.ts";
import type { ChoirEvent, ExitReason } from "../../../../../src/events.ts";
import type { InstanceSnapshot, Snapshot } from "../../../../../src/supervisor/snapshot.ts";
import { SNAPSHOT } from "../../../../helpers/snapshots.ts";

const NOW = Date.parse("2027-01-15T09:00:00.000Z");
const SERVING = SNAPSHOT.slots[0]!.instances[0]!;

function instance(pid: number, more: Partial<InstanceSnapshot> = {}): InstanceSnapshot {
  return { ...SERVING, uid: `u${pid}`, pid, ...more };
}

/** An app with so many slots, each with one instance, all well. */
function healthy(slots = 2, more: Partial<Snapshot> = {}): Snapshot {
  return {
    ...SNAPSHOT,
    instances: slots,
    ready: slots,
    traffic: { ...SNAPSHOT.traffic, errorsPerSecond: 0 },
    lastRestart: null,
    slots: Array.from({ length: slots }, (_, id) => ({
      ...SNAPSHOT.slots[0]!,
      id,
      restarts: 0,
      lastExit: null,
      instances: [instance(100 + id)],
    })),
    ...more,
  };
}

function exited(slot: number, more: Partial<Extract<ChoirEvent, { event: "instance-exited" }>> = {}): ChoirEvent {
  return {
    event: "instance-exited",
    instance: slot,
    generation: 2,
    pid: 100 + slot,
    reason: "crashed",
    code: 1,
    signal: null,
    uptimeMs: 8000,
    respawnMs: 0,
    repeated: false,
    ...more,
  };
}

function ready(slot: number, pid: number, generation = 2): ChoirEvent {
  return { event: "instance-ready", instance: slot, generation, pid, url: "", urls: [], startMs: 400 };
}

function after(snapshot: Snapshot, ...events: ChoirEvent[]): PageState {
  const from = withSnapshot(NO_STATE, snapshot, NOW);
  return events.reduce((state, event) => withEvent(state, { at: NOW, event }), from);
}

const texts = (state: PageState, now = NOW): string[] =>
  problemsOf(state, now).map(({ tone, text }) => `${tone}: ${text}`);

describe("state", () => {
  it("shows a crash and the respawn at once, before the next snapshot", () => {
    const crashed = after(healthy(), exited(1, { respawnMs: 4000 }));
    expect(crashed.snapshot).toMatchObject({ ready: 1 });
    expect(crashed.snapshot!.slots[1]).toMatchObject({ instances: [], lastExit: { reason: "crashed", code: 1 } });
    expect(crashed.respawns.get(1)).toBe(NOW + 4000);
    expect(headlineOf(crashed, NOW)).toMatchObject({
      tone: "bad",
      text: "Slot 1 crashed, and nothing serves there",
      more: "Exit code 1 after 8 s; next try in 4 s",
    });
    const back = withEvent(crashed, { at: NOW + 4400, event: ready(1, 900) });
    expect(back.snapshot!.slots[1]!.instances).toMatchObject([{ pid: 900, state: "ready", statistics: null }]);
    expect(headlineOf(back, NOW + 4400)).toMatchObject({ tone: "warn", text: "Slot 1 crashed 4 s ago" });
    expect(headlineOf(back, NOW + 600_000)).toMatchObject({ tone: "good", text: "All 2 instances are ready" });
  });

  it("leaves the rest to the next snapshot, which also forgets what was awaited", () => {
    const crashed = after(healthy(), exited(1, { respawnMs: 4000 }));
    expect(withSnapshot(crashed, healthy(), NOW).respawns.size).toBe(0);
    expect(after(healthy(), exited(7), ready(7, 1)).snapshot!.slots).toHaveLength(2);
  });

  it("begins with what happened before, and takes what came meanwhile once", () => {
    const history = { events: [{ at: NOW - 5000, event: exited(0) }] };
    const state = withLater(withHistory(history), [exited(0), ready(0, 5)], NOW);
    expect(state.events.map(({ event }) => event.event)).toEqual(["instance-exited", "instance-ready"]);
  });
});

describe("problems", () => {
  it("are none when all is well", () => {
    expect(texts(after(healthy()))).toEqual([]);
    expect(headlineOf(after(healthy(1)), NOW).text).toBe("The one instance is ready");
    expect(headlineOf(NO_STATE, NOW)).toMatchObject({ tone: "busy" });
  });

  it("are a crash loop, with what ends it all in front", () => {
    const many = [0, 1, 2, 3].map(() => exited(0, { pid: 1 }));
    expect(texts(after(healthy(), ...many))).toEqual(["bad: Slot 0 crashed 4 times in 0 s"]);
    const down = healthy(1, { ready: 0, slots: [{ ...healthy(1).slots[0]!, instances: [], restarts: 9 }] });
    expect(texts(after(down, exited(0)))[0]).toBe("bad: No instance is ready");
  });

  it("are no news of a start, nor of ends that were asked for", () => {
    const first = healthy(2, { ready: 0 });
    const starting = {
      ...first,
      slots: first.slots.map((slot) => ({ ...slot, instances: [instance(1, { state: "starting" })] })),
    };
    expect(texts(after(starting))).toEqual(["busy: Starting 2 instances"]);
    const asked: ExitReason[] = ["asked", "left", "max-age", "max-memory", "killed"];
    for (const reason of asked) expect(texts(after(healthy(), exited(0, { reason, pid: 1 })))).toEqual([]);
  });

  it("are a blocked loop, a full heap, and errors", () => {
    const blocked = { ...SERVING.statistics!, loopDelayMax: 1400, heapFill: 0.95 };
    const slot = {
      ...healthy().slots[0]!,
      instances: [instance(1, { heardMs: 7700 }), instance(2, { statistics: blocked })],
    };
    const traffic = { ...SNAPSHOT.traffic, requestsPerSecond: 100, errorsPerSecond: 4, abortedPerSecond: 8 };
    expect(texts(after(healthy(1, { slots: [slot], traffic })))).toEqual([
      "bad: Slot 0 has been silent for 8 s: its event loop is blocked",
      "bad: 12 % of the answers are errors: 12 a second",
      "warn: The event loop of slot 0 was held up for 1.4 s",
      "warn: The JavaScript heap of slot 0 is 95 % full",
    ]);
    const quiet = { ...traffic, requestsPerSecond: 0.2, errorsPerSecond: 0.2, abortedPerSecond: 0 };
    expect(texts(after(healthy(1, { traffic: quiet })))).toEqual([]);
  });

  it("last as long as nothing says that they are over", () => {
    const failed = {
      event: "log-file-failed",
      file: "/a.log",
      trouble: "write",
      error: "disk full",
      code: "ENOSPC",
    } as const;
    const over = { event: "log-file-recovered", file: "/a.log", trouble: "write", lostLines: 0, failedMs: 1 } as const;
    expect(texts(after(healthy(), failed))).toEqual([
      expect.stringMatching(/^bad: Log file \/a\.log cannot be written/),
    ]);
    expect(texts(after(healthy(), failed, { ...over, file: "/b.log" }))).toHaveLength(1);
    expect(texts(after(healthy(), failed, over))).toEqual([]);
  });
});

describe("a rolling restart", () => {
  const started: ChoirEvent = { event: "restart-started", generation: 3, by: "the dashboard" };
  const finished = (outcome: "done" | "failed"): ChoirEvent => ({
    event: "restart-finished",
    generation: 3,
    outcome,
    durationMs: 900,
    ...(outcome === "failed" && { error: "Migration 42 is missing", lastWords: ["no such table"] }),
  });

  it("is watched slot by slot", () => {
    const of = (...states: InstanceSnapshot["state"][]) =>
      states.map((state, index) => instance(index, { state, generation: index === 0 ? 3 : 2 }));
    const snapshot = healthy(5, { state: "restarting" });
    const instances = [
      of("ready"),
      of("ready", "draining"),
      of("ready", "ready"),
      of("starting", "ready"),
      [instance(9)],
    ];
    const slots = snapshot.slots.map((slot, id) => ({ ...slot, instances: instances[id]! }));
    const state = after({ ...snapshot, slots }, started);
    const view = rolloutView(state, NOW + 2000)!;
    expect(view.steps.map(({ step }) => step)).toEqual(["done", "draining", "trial", "starting", "waiting"]);
    expect(view).toMatchObject({ done: 2, tone: "busy", endedAt: undefined });
    expect(texts(state)).toEqual(["busy: Rolling restart to generation 3"]);
  });

  it("that fails is the one thing to read, with its cause, and no slot is blamed for it", () => {
    const lastRestart = {
      outcome: "failed",
      generation: 3,
      error: "Migration 42 is missing",
      durationMs: 900,
    } as const;
    const newcomer = exited(0, { generation: 3, reason: "start-failed", respawnMs: null, pid: 500 });
    const during = after(healthy(2, { state: "restarting" }), started, newcomer);
    expect(texts(during)).toEqual(["busy: Rolling restart"]);
    const state = after(healthy(2, { lastRestart }), started, newcomer, finished("failed"));
    expect(problemsOf(state, NOW + 60_000)).toEqual([
      {
        tone: "warn",
        text: "The last restart failed 1 min ago: the code of before serves",
        more: "Migration 42 is missing",
      },
    ]);
    expect(rolloutView(state, NOW + 1e6)).toMatchObject({
      tone: "bad",
      error: "Migration 42 is missing",
      lastWords: ["no such table"],
      steps: [{ step: "kept" }, { step: "kept" }],
    });
  });

  it("that went well is shown for a minute", () => {
    const state = after(healthy(), started, finished("done"));
    expect(rolloutView(state, NOW + 30_000)).toMatchObject({ tone: "good" });
    expect(rolloutView(state, NOW + 90_000)).toBeUndefined();
    expect(rolloutView(after(healthy()), NOW)).toBeUndefined();
  });
});

describe("rows of slots", () => {
  it("are one for each process, and one for a slot that waits", () => {
    const state = withEvent(withSnapshot(NO_STATE, SNAPSHOT, NOW), {
      at: NOW,
      event: exited(1, { pid: 4020, respawnMs: 2000 }),
    });
    const rows = slotRows(state, NOW);
    expect(rows.map(({ slot, isFirst, tone, cells }) => [slot, isFirst, tone, cells.state])).toEqual([
      [0, true, "good", "ready"],
      [0, false, "muted", "draining"],
      [1, true, "bad", "down, next try in 2 s"],
    ]);
    expect(rows[0]!.cells).toMatchObject({ requests: "812", p99: "23.1 ms", cpu: "50 %", memory: "58 MB" });
    expect(rows[0]!.cells.lastExit).toBe("crashed (SIGKILL) 1 min ago");
    expect([...rows[0]!.alarming]).toEqual(["lastExit"]);
    expect([...rows[1]!.alarming]).toEqual([]);
    expect(rows[1]!.cells).toMatchObject({ requests: "–", restarts: "", lastExit: "" });
  });

  it("say when an instance is silent", () => {
    const snapshot = healthy(1, { slots: [{ ...healthy(1).slots[0]!, instances: [instance(1, { heardMs: 4000 })] }] });
    expect(slotRows(after(snapshot), NOW)[0]).toMatchObject({ tone: "bad", cells: { state: "silent for 4 s" } });
  });
});
