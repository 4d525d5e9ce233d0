/**
 * What all instances counted: totals of each slot, which go on when an instance ends, and the traffic of the last few seconds. Runs in
 * the supervisor; src/instance/heartbeat.ts sends it.
 */
import type { Clock } from "../clock.ts";
import { DURATION_BUCKETS, quantile } from "../histogram.ts";
import {
  addSparse,
  GC_KINDS,
  type Measured,
  PROTOCOLS,
  RESPONSE_KINDS,
  responseIndex,
  STATUS_CLASSES,
} from "../measured.ts";
import type { Instance } from "./instance.ts";
import type { Traffic } from "./snapshot.ts";

/** All that a slot's instances ever counted. */
export class SlotTotals {
  readonly responses = new Float64Array(RESPONSE_KINDS);
  readonly durations = new Float64Array(DURATION_BUCKETS);
  readonly gc = new Float64Array(GC_KINDS.length);
  readonly gcMs = new Float64Array(GC_KINDS.length);
  durationSum = 0;
  connections = 0;
  refused = 0;
  failedHandshakes = 0;
  cpuUser = 0;
  cpuSystem = 0;

  add(measured: Measured): void {
    addSparse(this.responses, measured.responses);
    addSparse(this.durations, measured.durations);
    addSparse(this.gc, measured.gc);
    addSparse(this.gcMs, measured.gcMs);
    this.durationSum += measured.durationSum;
    this.connections += measured.connections;
    this.refused += measured.refused;
    this.failedHandshakes += measured.failedHandshakes;
    this.cpuUser += measured.cpuUser;
    this.cpuSystem += measured.cpuSystem;
  }
}

/** How many heartbeats of each instance the traffic is made of. */
const WINDOW_BEATS = 5;
/** Nothing heard for so long, in milliseconds: what was measured before says nothing of now. */
const STALE_MS = 5000;

interface Window {
  readonly beats: Measured[];
  heardAt: number;
}

export class Measurements {
  readonly #clock: Clock;
  /** By slot; a slot that a scale-down took away stays, or the sum of all would fall. */
  readonly #totals = new Map<number, SlotTotals>();
  /** By instance. */
  readonly #windows = new Map<string, Window>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The totals of each slot that ever was, by its number. */
  get totals(): ReadonlyMap<number, SlotTotals> {
    return this.#totals;
  }

  take({ slot, uid }: Pick<Instance, "slot" | "uid">, measured: Measured): void {
    let totals = this.#totals.get(slot);
    if (totals === undefined) this.#totals.set(slot, (totals = new SlotTotals()));
    totals.add(measured);
    let window = this.#windows.get(uid);
    if (window === undefined) this.#windows.set(uid, (window = { beats: [], heardAt: 0 }));
    window.heardAt = this.#clock.now();
    if (window.beats.push(measured) > WINDOW_BEATS) window.beats.shift();
  }

  /** Forgets the traffic of an instance that has ended; its totals stay. */
  release({ uid }: Pick<Instance, "uid">): void {
    this.#windows.delete(uid);
  }

  /** The traffic of some instances together, by their uids. */
  trafficOf(uids: readonly string[]): Traffic {
    const durations = new Float64Array(DURATION_BUCKETS);
    const rates = { requests: 0, errors: 0, aborted: 0 };
    for (const uid of uids) {
      const window = this.#windows.get(uid);
      if (window === undefined || this.#clock.now() - window.heardAt > STALE_MS) continue;
      const responses = new Float64Array(RESPONSE_KINDS);
      let elapsedMs = 0;
      for (const beat of window.beats) {
        addSparse(responses, beat.responses);
        addSparse(durations, beat.durations);
        elapsedMs += beat.elapsedMs;
      }
      const seconds = Math.max(1, elapsedMs) / 1000;
      rates.requests += responses.reduce((sum, count) => sum + count, 0) / seconds;
      rates.errors += ofClass(responses, "5xx") / seconds;
      rates.aborted += ofClass(responses, "aborted") / seconds;
    }
    return {
      requestsPerSecond: rounded(rates.requests),
      errorsPerSecond: rounded(rates.errors),
      abortedPerSecond: rounded(rates.aborted),
      p50Ms: quantile(durations, 0.5),
      p99Ms: quantile(durations, 0.99),
    };
  }
}

/** Answers of a class, whatever protocol their clients speak. */
function ofClass(responses: Float64Array, name: (typeof STATUS_CLASSES)[number]): number {
  const statusClass = STATUS_CLASSES.indexOf(name);
  return PROTOCOLS.reduce((sum, _, protocol) => sum + (responses[responseIndex(protocol, statusClass)] ?? 0), 0);
}

function rounded(rate: number): number {
  return Math.round(rate * 100) / 100;
}
