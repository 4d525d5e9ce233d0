// Silence, counted: who is blocked, who is only starved, and that nobody is killed for the supervisor's own absence.
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideLiveness, type Heard, type LivenessMemory, MOST_PATIENCE } from "../../../src/supervisor/liveness.ts";
import type { ThreadSample, ThreadState } from "../../../src/supervisor/thread-state.ts";

const PERIOD = 1000;
const TIMEOUT = 30_000;

/** Plays rounds; every process uses `cpuShare` of a CPU unless it is told otherwise. */
class Play {
  now = 0;
  state: ThreadState = "running";
  cpuShare: number | undefined = 1;
  #memory: LivenessMemory | undefined;
  readonly #heard = new Map<string, number>();

  hear(uid: string): void {
    this.#heard.set(uid, this.now);
  }

  gone(uid: string): void {
    this.#heard.delete(uid);
  }

  round(after = PERIOD, timeout = TIMEOUT): string[] {
    this.now += after;
    const instances: Heard[] = [...this.#heard].map(([uid, heardAt]) => ({ uid, pid: 1, heardAt }));
    const sample = (): ThreadSample | undefined =>
      this.cpuShare === undefined ? undefined : { state: this.state, cpuMs: this.now * this.cpuShare };
    const { memory, unresponsive } = decideLiveness(
      this.#memory,
      { now: this.now, instances },
      { timeout, period: PERIOD, sample },
    );
    this.#memory = memory;
    return unresponsive.map(({ uid }) => uid);
  }

  /** Rounds until somebody is unresponsive, or `most` of them. */
  rounds(most: number): number {
    for (let round = 1; round <= most; round += 1) if (this.round().length > 0) return round;
    return Infinity;
  }
}

function playing(...uids: string[]): Play {
  const play = new Play();
  play.round();
  for (const uid of uids) play.hear(uid);
  return play;
}

describe("decideLiveness", () => {
  it("names who burns a CPU in silence, at the timeout and not before", () => {
    expect(playing("a").rounds(100)).toBe(30);
  });

  it("names only the silent one", () => {
    const play = playing("a", "b");
    for (let round = 0; round < 29; round += 1) {
      expect(play.round()).toEqual([]);
      play.hear("b");
    }
    expect(play.round()).toEqual(["a"]);
  });

  it("begins anew with every heartbeat", () => {
    const play = playing("a");
    expect(play.rounds(29)).toBe(Infinity);
    play.hear("a");
    expect(play.rounds(29)).toBe(Infinity);
    expect(play.round()).toEqual(["a"]);
  });

  it("names who sleeps in a system call or is stopped, though neither uses a CPU", () => {
    for (const state of ["sleeping", "stopped"] as const) {
      const play = playing("a");
      play.state = state;
      play.cpuShare = 0;
      expect(play.rounds(100)).toBe(30);
    }
  });

  it("waits three times as long for who wants to run and gets no CPU, or waits for the disk", () => {
    for (const state of ["running", "waiting"] as const) {
      const play = playing("a");
      play.state = state;
      play.cpuShare = 0.01;
      expect(play.rounds(100)).toBe(90);
    }
  });

  it("where the system tells nothing, names who is silent", () => {
    const play = playing("a");
    play.cpuShare = undefined;
    expect(play.rounds(100)).toBe(30);
  });

  it("counts no time in which the supervisor itself was away: a suspended machine, a debugger, no CPU", () => {
    const play = playing("a", "b");
    expect(play.round(3_600_000)).toEqual([]);
    expect(play.round(600_000)).toEqual([]);
    // The heartbeats that lay unread come after the timer.
    play.hear("a");
    play.hear("b");
    expect(play.rounds(29)).toBe(Infinity);
  });

  it("waits while its own rounds are late: others may be starved as well", () => {
    const play = playing("a");
    for (let round = 0; round < 30; round += 1) expect(play.round(1500)).toEqual([]);
    expect(play.rounds(100)).toBeLessThan(60);
  });

  it("never names anyone with a timeout of 0", () => {
    const play = playing("a");
    for (let round = 0; round < 1000; round += 1) expect(play.round(PERIOD, 0)).toEqual([]);
  });

  it("forgets who is gone", () => {
    const play = playing("a");
    expect(play.rounds(29)).toBe(Infinity);
    play.gone("a");
    expect(play.round()).toEqual([]);
  });

  it("whatever the supervisor's delays: never before the timeout, always before four of them, and never who is heard", () => {
    const delay = fc.oneof(fc.constant(PERIOD), fc.integer({ min: PERIOD, max: 10 * TIMEOUT }));
    fc.assert(
      fc.property(fc.infiniteStream(delay), fc.constantFrom(0, 0.02, 1), (delays, cpuShare) => {
        const play = playing("silent", "heard");
        play.cpuShare = cpuShare;
        const since = play.now;
        for (let round = 1; ; round += 1) {
          play.hear("heard");
          const [after = PERIOD] = delays.take(1);
          const named = play.round(after);
          expect(named).not.toContain("heard");
          if (named.length > 0) {
            expect(play.now - since).toBeGreaterThanOrEqual(TIMEOUT);
            return;
          }
          expect(round).toBeLessThanOrEqual((MOST_PATIENCE * TIMEOUT) / PERIOD);
        }
      }),
    );
  });
});
