// Heartbeats in, kills and replacements out: the rounds with a real Supervisor and children that do what the test says.
import { beforeEach, describe, expect, it } from "vitest";
import type { ChoirEvent } from "../../../src/events.ts";
import type { Statistics, ToInstance, ToSupervisor } from "../../../src/protocol.ts";
import type { Child, ChildExit } from "../../../src/supervisor/child.ts";
import type { Examination } from "../../../src/supervisor/examine.ts";
import { Instance } from "../../../src/supervisor/instance.ts";
import type { Launcher } from "../../../src/supervisor/launcher.ts";
import { heartbeatInterval, type RoundsContext, startRounds } from "../../../src/supervisor/rounds.ts";
import { Supervisor } from "../../../src/supervisor/supervisor.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";
import { NOTHING_MEASURED } from "../../helpers/measured.ts";

const STATISTICS: Statistics = {
  requests: 5,
  inFlight: 1,
  connections: 2,
  upgraded: 0,
  rss: 50e6,
  heapUsed: 10e6,
  heapLimit: 100e6,
  heapFill: 0.1,
  cpu: 0,
  loopDelayMean: 0,
  loopDelayMax: 0,
  utilization: 0,
};

class FakeChild {
  readonly sent: ToInstance[] = [];
  readonly signals: string[] = [];
  say: (message: ToSupervisor) => void = () => {};
  exit: (exit: ChildExit) => void = () => {};
  readonly child: Child;

  constructor(pid: number) {
    const exited = new Promise<ChildExit>((resolve) => {
      this.exit = resolve;
    });
    const child: Partial<Child> = {
      pid,
      exited,
      onMessage: (listener) => {
        this.say = listener;
      },
      send: (message) => this.sent.push(message),
      kill: (signal) => this.signals.push(signal),
    };
    this.child = child as Child;
  }

  beat(statistics: Partial<Statistics> = {}, more: object = {}): void {
    this.say({
      choir: "heartbeat",
      statistics: { ...STATISTICS, ...statistics },
      measured: NOTHING_MEASURED,
      ...more,
    });
  }
}

/** Lets promises that are settled be seen. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

function setUp({ respawn = true, ...options }: Partial<RoundsContext["options"]> & { respawn?: boolean } = {}) {
  const logs = { areBlocked: false };
  const clock = new FakeClock();
  const children: FakeChild[] = [];
  const events: ChoirEvent[] = [];
  const emit = (event: ChoirEvent): void => void events.push(event);
  const launcher: Launcher = {
    launch({ slot, generation }, observer) {
      const child = new FakeChild(1000 + children.length);
      children.push(child);
      const limits = { startTimeout: 600_000, shutdownTimeout: 300_000 };
      const spec = { slot, generation, uid: String(children.length) };
      return new Instance(child.child, spec, { limits, clock, observer, lastWords: () => [] });
    },
    prepare: () => {},
    isThere: () => true,
  };
  const supervisor = new Supervisor(
    { name: "test", version: "0.0.0", instances: 2, respawn, maxSurge: "1", canaryTime: 3000, urls: [] },
    { launcher, clock, emit },
  );
  const examinations: ((examination: Examination) => void)[] = [];
  supervisor.start();
  const end = startRounds(supervisor, {
    examiner: { examine: () => new Promise((resolve) => examinations.push(resolve)) },
    options: {
      unresponsiveTimeout: 30_000,
      maxRequests: undefined,
      maxAge: undefined,
      maxMemory: undefined,
      ...options,
    },
    clock,
    emit,
    isHeldUp: () => logs.areBlocked,
    sample: () => ({ state: "running", cpuMs: clock.now() }),
  });
  /** Seconds in which all but the `silent` ones beat. */
  const seconds = async (count: number, silent: readonly FakeChild[] = []): Promise<void> => {
    for (let second = 0; second < count; second += 1) {
      for (const child of children) if (!silent.includes(child)) child.beat();
      clock.advance(1000);
      await settle();
    }
  };
  return { supervisor, clock, children, events, examinations, seconds, end, logs };
}

describe("rounds", () => {
  let setup: ReturnType<typeof setUp>;
  beforeEach(() => {
    setup = setUp();
    for (const child of setup.children) child.say({ choir: "ready" });
  });

  function eventsOf(kind: ChoirEvent["event"]): ChoirEvent[] {
    return setup.events.filter(({ event }) => event === kind);
  }

  it("says what blocks an instance, kills it, and another one follows", async () => {
    const [blocked] = setup.children as [FakeChild, FakeChild];
    blocked.beat({}, { openRequests: [{ method: "GET", path: "/old", ageMs: 2000 }] });
    await setup.seconds(29, [blocked]);
    expect(setup.examinations).toHaveLength(0);
    // It takes its time: nobody is examined twice.
    await setup.seconds(3, [blocked]);
    expect(setup.examinations).toHaveLength(1);
    expect(blocked.signals).toEqual([]);
    const openRequests = [{ method: "GET", path: "/spin", ageMs: 30_000 }];
    setup.examinations[0]!({ stack: ["at spin (/app.js:1:1)"], openRequests });
    await settle();
    expect(eventsOf("instance-unresponsive")).toMatchObject([
      { instance: 0, pid: 1000, state: "running", stack: ["at spin (/app.js:1:1)"], openRequests },
    ]);
    expect(blocked.signals).toEqual(["SIGKILL"]);
    blocked.exit({ code: null, signal: "SIGKILL" });
    await settle();
    expect(eventsOf("instance-exited")).toMatchObject([{ reason: "unresponsive", respawnMs: 0 }]);
    setup.clock.advance(0);
    expect(setup.children).toHaveLength(3);
    expect(setup.children[1]!.signals).toEqual([]);
  });

  it("counts no silence while instances may be waiting for their lines to be written, and counts anew then", async () => {
    const [silent] = setup.children as [FakeChild];
    await setup.seconds(20, [silent]);
    setup.logs.areBlocked = true;
    await setup.seconds(300, [silent]);
    setup.logs.areBlocked = false;
    await setup.seconds(29, [silent]);
    expect(setup.examinations).toHaveLength(0);
    await setup.seconds(4, [silent]);
    expect(setup.examinations).toHaveLength(1);
  });

  it("names the requests of the last heartbeat when the instance cannot be asked", async () => {
    const [stopped] = setup.children as [FakeChild];
    const openRequests = [{ method: "GET", path: "/old", ageMs: 2000 }];
    stopped.beat({}, { openRequests });
    await setup.seconds(31, [stopped]);
    setup.examinations[0]!({ stack: [], missing: "stopped" });
    await settle();
    expect(eventsOf("instance-unresponsive")).toMatchObject([{ missing: "stopped", openRequests }]);
  });

  it("leaves one alone that ended while it was looked into", async () => {
    const [blocked] = setup.children as [FakeChild];
    await setup.seconds(31, [blocked]);
    blocked.exit({ code: 1, signal: null });
    await settle();
    setup.examinations[0]!({ stack: [] });
    await settle();
    expect(eventsOf("instance-unresponsive")).toEqual([]);
    expect(eventsOf("instance-exited")).toMatchObject([{ reason: "crashed", code: 1 }]);
  });

  it("leaves one that starts to the start timeout, and watches one that drains", async () => {
    setup = setUp();
    const [starting, other] = setup.children as [FakeChild, FakeChild];
    other.say({ choir: "ready" });
    await setup.seconds(100, [starting]);
    expect(setup.examinations).toHaveLength(0);
    setup.supervisor.stop("SIGTERM");
    await setup.seconds(31, [starting, other]);
    expect(setup.examinations).toHaveLength(1);
  });

  it("does not take nonsense on the IPC channel for figures", async () => {
    const [child] = setup.children as [FakeChild];
    child.beat();
    const nonsense = { choir: "heartbeat", statistics: { rss: "much" }, openRequests: [null] } as unknown;
    child.say(nonsense as ToSupervisor);
    // Nor does it end the supervisor's rounds.
    setup.clock.advance(5000);
    expect(setup.supervisor.snapshot().slots[0]?.instances[0]?.statistics).toEqual(STATISTICS);
  });

  it("ends with the supervisor", async () => {
    setup.end();
    await setup.seconds(100, setup.children);
    expect(setup.examinations).toHaveLength(0);
  });

  it.each([true, false])(
    "has who reached a limit replaced, the replacement first, with respawn %s",
    async (respawn) => {
      setup = setUp({ maxRequests: 100, respawn });
      const [first, second] = setup.children as [FakeChild, FakeChild];
      for (const child of setup.children) child.say({ choir: "ready" });
      first.beat({ requests: 101 });
      second.beat({ requests: 102 });
      setup.clock.advance(1000);
      expect(eventsOf("instance-recycled")).toMatchObject([
        { instance: 1, reason: "max-requests", value: 102, limit: 100 },
      ]);
      expect(setup.children).toHaveLength(3);
      expect(second.sent).toEqual([]);
      // One at a time: the other one waits until the first is through.
      setup.clock.advance(5000);
      setup.children[2]!.say({ choir: "ready" });
      expect(second.sent).toEqual([{ choir: "drain", reason: "replaced" }]);
      setup.clock.advance(5000);
      expect(setup.children).toHaveLength(3);
      second.exit({ code: 0, signal: null });
      await settle();
      expect(eventsOf("instance-exited")).toMatchObject([{ reason: "max-requests", code: 0, respawnMs: null }]);
      setup.clock.advance(1000);
      expect(setup.children).toHaveLength(4);
      expect(eventsOf("instance-recycled")[1]).toMatchObject({ instance: 0 });
    },
  );

  it("recycles nobody during a rolling restart", async () => {
    setup = setUp({ maxAge: 2000 });
    for (const child of setup.children) child.say({ choir: "ready" });
    void setup.supervisor.restart("test");
    setup.children[2]!.say({ choir: "ready" });
    // The canary is ready beside the old ones for three seconds.
    await setup.seconds(2);
    expect(eventsOf("instance-recycled")).toEqual([]);
  });

  it("an end that was planned does not count as a quick exit", async () => {
    setup = setUp({ maxRequests: 1 });
    for (const child of setup.children) child.say({ choir: "ready" });
    for (let turn = 0; turn < 4; turn += 1) {
      setup.children.at(-1)!.beat({ requests: 10 + turn });
      setup.children[0]!.beat({ requests: 0 });
      setup.clock.advance(1000);
      const leaving = setup.children.at(-2)!;
      setup.children.at(-1)!.say({ choir: "ready" });
      leaving.exit({ code: 0, signal: null });
      await settle();
    }
    expect(eventsOf("instance-recycled")).toHaveLength(4);
    setup.children.at(-1)!.exit({ code: 1, signal: null });
    await settle();
    expect(eventsOf("instance-exited").at(-1)).toMatchObject({ reason: "crashed", respawnMs: 0 });
  });
});

describe("heartbeatInterval", () => {
  it.each([
    [0, 1000],
    [30_000, 1000],
    [4000, 1000],
    [1000, 250],
    [1, 100],
  ])("for a timeout of %d ms is %d ms", (timeout, interval) => {
    expect(heartbeatInterval(timeout)).toBe(interval);
  });
});
