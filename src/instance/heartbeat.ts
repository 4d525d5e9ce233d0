/**
 * Says once a second that the event loop turns, and with it what the process does. Runs in the instance, from ready to its end;
 * src/supervisor/liveness.ts waits for it, src/supervisor/recycling.ts acts on its figures.
 */
import { type IntervalHistogram, monitorEventLoopDelay, performance } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import type { Clock } from "../clock.ts";
import type { Connections } from "../http/connections.ts";
import { OPEN_REQUESTS_SYMBOL, type OpenRequest, type Statistics } from "../protocol.ts";
import { heapGauge } from "./heap.ts";

/** What one heartbeat says. */
export interface Heartbeat {
  readonly statistics: Statistics;
  /** The oldest requests in flight, when there are any that take long. */
  readonly openRequests?: readonly OpenRequest[];
}

export interface HeartbeatSetup {
  readonly intervalMs: number;
  readonly connections: Pick<
    Connections,
    "count" | "upgraded" | "requests" | "totalRequests" | "openRequests" | "oldestRequests"
  >;
  /** Sends a heartbeat, and calls `sent` when it has left the process. */
  readonly send: (beat: Heartbeat, sent: () => void) => void;
  readonly clock: Clock;
}

/** A timer of this many milliseconds samples the loop's delay: an idle instance pays 1 ms of CPU time per second for 50, 5 for 10. */
const RESOLUTION_MS = 50;
/** Requests that take longer are named in the heartbeat, the oldest of them. */
const LONG_MS = 1000;
const MOST_REQUESTS = 5;

/** Sends heartbeats until the process ends; its timers do not hold it. */
export function startHeartbeat(setup: HeartbeatSetup): void {
  const { intervalMs, connections, send, clock } = setup;
  // For the inspector, by which the supervisor looks into an instance whose loop is blocked: newest first, since what blocks is new.
  const openRequests = (): OpenRequest[] => connections.openRequests().toReversed().slice(0, 100);
  Object.defineProperty(globalThis, Symbol.for(OPEN_REQUESTS_SYMBOL), { value: openRequests, configurable: true });
  const meter = new Meter(clock, intervalMs);
  let unsent = false;
  const beat = (): void => {
    clock.after(intervalMs, beat);
    const statistics = { ...countersOf(connections), ...meter.read() };
    // The supervisor does not read, or was stopped: one unread heartbeat says as much as a thousand, which would pile up here.
    if (unsent) return;
    const oldest = connections.oldestRequests(MOST_REQUESTS, LONG_MS);
    unsent = true;
    send(oldest.length === 0 ? { statistics } : { statistics, openRequests: oldest }, () => {
      unsent = false;
    });
  };
  clock.after(intervalMs, beat);
}

type Counters = Pick<Statistics, "requests" | "inFlight" | "connections" | "upgraded">;

function countersOf(connections: HeartbeatSetup["connections"]): Counters {
  const { totalRequests: requests, requests: inFlight, count, upgraded } = connections;
  return { requests, inFlight, connections: count, upgraded };
}

/** What the process used since it was read last. */
class Meter {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #delay: IntervalHistogram;
  readonly #heapFill = heapGauge();
  #at: number;
  #cpu = process.cpuUsage();
  #loop = performance.eventLoopUtilization();

  constructor(clock: Clock, intervalMs: number) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#at = clock.now();
    this.#delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.#delay.enable();
  }

  read(): Omit<Statistics, keyof Counters> {
    const now = this.#clock.now();
    const elapsed = Math.max(1, now - this.#at);
    const cpu = process.cpuUsage(this.#cpu);
    const loop = performance.eventLoopUtilization();
    const { used_heap_size: heapUsed, heap_size_limit: heapLimit } = getHeapStatistics();
    const statistics = {
      rss: process.memoryUsage.rss(),
      heapUsed,
      heapLimit,
      heapFill: rounded(this.#heapFill()),
      cpu: rounded((cpu.user + cpu.system) / 1000 / elapsed),
      ...this.#delays(elapsed),
      utilization: rounded(performance.eventLoopUtilization(loop, this.#loop).utilization),
    };
    this.#at = now;
    this.#cpu = process.cpuUsage();
    this.#loop = loop;
    return statistics;
  }

  #delays(elapsed: number): Pick<Statistics, "loopDelayMean" | "loopDelayMax"> {
    // Node's figures are the whole time between two samples. A block that began right after a reset has none: it made this one late.
    const own = elapsed - this.#intervalMs;
    const ofSamples = (ns: number): number => ns / 1e6 - RESOLUTION_MS;
    const { mean, max, count } = this.#delay;
    this.#delay.reset();
    return count === 0
      ? { loopDelayMean: rounded(own), loopDelayMax: rounded(own) }
      : { loopDelayMean: rounded(ofSamples(mean)), loopDelayMax: rounded(Math.max(own, ofSamples(max))) };
  }
}

/** Three digits are enough, and keep the message short. Never below zero: timers may come a little early. */
function rounded(value: number): number {
  return Math.max(0, Math.round(value * 1000) / 1000);
}
