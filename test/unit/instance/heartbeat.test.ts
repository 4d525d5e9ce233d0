// Heartbeats: regular, with figures of this very process, and not piled up while nobody reads.
import { describe, expect, it } from "vitest";
import { type Heartbeat, startHeartbeat } from "../../../src/instance/heartbeat.ts";
import { RequestMeter } from "../../../src/http/request-meter.ts";
import { isMeasured, responseIndex } from "../../../src/measured.ts";
import { isOpenRequests, isStatistics, OPEN_REQUESTS_SYMBOL } from "../../../src/protocol.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";

const LONG = { method: "GET", path: "/slow", ageMs: 1500 };
const SHORT = { method: "GET", path: "/", ageMs: 2 };

function setUp({ long = [] as (typeof LONG)[] } = {}) {
  const meter = new RequestMeter();
  const clock = new FakeClock();
  const beats: Heartbeat[] = [];
  const unsent: (() => void)[] = [];
  const last = startHeartbeat({
    intervalMs: 1000,
    clock,
    connections: {
      count: 3,
      upgraded: 1,
      requests: 2,
      totalRequests: 41,
      totalConnections: 7,
      totalRefused: 1,
      totalFailedHandshakes: 0,
      meter,
      openRequests: () => [LONG, SHORT],
      oldestRequests: () => long,
    },
    send(beat, sent) {
      beats.push(beat);
      unsent.push(sent);
    },
  });
  return { clock, beats, unsent, meter, last };
}

describe("startHeartbeat", () => {
  it("sends the figures of this process once an interval", () => {
    const { clock, beats, unsent } = setUp();
    for (let beat = 1; beat <= 3; beat += 1) {
      clock.advance(1000);
      expect(beats).toHaveLength(beat);
      unsent.pop()?.();
    }
    const statistics = beats[0]?.statistics;
    expect(isStatistics(statistics)).toBe(true);
    expect(statistics).toMatchObject({ requests: 41, inFlight: 2, connections: 3 });
    expect(statistics?.rss).toBeGreaterThan(10e6);
    expect(statistics?.heapLimit).toBeGreaterThan(statistics?.heapUsed ?? Infinity);
    expect(statistics?.utilization).toBeLessThanOrEqual(1);
    expect(beats[0]).not.toHaveProperty("openRequests");
  });

  it("counts what was answered since the last one that was sent, once", () => {
    const { clock, beats, unsent, meter } = setUp();
    meter.count(1, 2, 0.7);
    meter.count(1, 2, 0.8);
    clock.advance(1000);
    expect(beats[0]?.measured).toMatchObject({ connections: 7, refused: 1, durationSum: 1.5, elapsedMs: 1000 });
    expect(beats[0]?.measured.responses).toEqual([responseIndex(1, 2), 2]);
    expect(isMeasured(beats[0]?.measured)).toBe(true);
    // The supervisor does not read.
    meter.count(2, 5, 3);
    clock.advance(3000);
    unsent.pop()?.();
    clock.advance(1000);
    expect(beats[1]?.measured).toMatchObject({ connections: 0, refused: 0, durationSum: 3, elapsedMs: 4000 });
    expect(beats[1]?.measured.responses).toEqual([responseIndex(2, 5), 1]);
  });

  it("sends one more at the end", () => {
    const { beats, meter, last } = setUp();
    meter.count(1, 2, 1);
    last();
    expect(beats[0]?.measured.responses).toEqual([responseIndex(1, 2), 1]);
  });

  it("names requests that take long", () => {
    const { clock, beats } = setUp({ long: [LONG] });
    clock.advance(1000);
    expect(beats[0]?.openRequests).toEqual([LONG]);
  });

  it("waits with the next one until the last has left", () => {
    const { clock, beats, unsent } = setUp();
    clock.advance(60_000);
    expect(beats).toHaveLength(1);
    unsent.pop()?.();
    clock.advance(1000);
    expect(beats).toHaveLength(2);
  });

  it("shows the inspector what is open, newest first", () => {
    setUp();
    const ask: unknown = Reflect.get(globalThis, Symbol.for(OPEN_REQUESTS_SYMBOL));
    expect((ask as () => unknown)()).toEqual([SHORT, LONG]);
  });
});

describe("what an app may send in a heartbeat's name", () => {
  it("is no heartbeat unless it is whole", () => {
    const { clock, beats } = setUp();
    clock.advance(1000);
    const statistics = beats[0]?.statistics;
    for (const wrong of [undefined, null, 1, "x", [], {}, { ...statistics, rss: "1" }, { ...statistics, cpu: NaN }])
      expect(isStatistics(wrong)).toBe(false);
    for (const wrong of [undefined, null, {}, [null], [{}], [{ ...LONG, ageMs: "1" }]])
      expect(isOpenRequests(wrong)).toBe(false);
    expect(isOpenRequests([LONG])).toBe(true);
  });
});
