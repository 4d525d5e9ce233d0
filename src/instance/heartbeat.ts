/**
 * Says once a second that the event loop turns, and with it what the process does. Runs in the instance, from ready to its end;
 * src/supervisor/liveness.ts waits for it, src/supervisor/recycling.ts acts on its figures.
 */
import { type IntervalHistogram, monitorEventLoopDelay, performance } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import type { Clock } from "../clock.ts";
import type { Connections } from "../http/connections.ts";
import type { RequestMeter } from "../http/request-meter.ts";
import type { Measured } from "../measured.ts";
import { OPEN_REQUESTS_SYMBOL, type OpenRequest, type Statistics } from "../protocol.ts";
import { gcGauge } from "./gc.ts";
import { heapGauge } from "./heap.ts";

/** What one heartbeat says. */
export interface Heartbeat {
  readonly statistics: Statistics;
  /** Counted since the last one that was sent. */
  readonly measured: Measured;
  /** The oldest requests in flight, when there are any that take long. */
  readonly openRequests?: readonly OpenRequest[];
}

export interface HeartbeatSetup {
  readonly intervalMs: number;
  readonly connections: MeasuredConnections;
  /** Sends a heartbeat, and calls `sent` when it has left the process. */
  readonly send: (beat: Heartbeat, sent: () => void) => void;
  readonly clock: Clock;
}

/** What heartbeats need of the connections. */
export type MeasuredConnections = Pick<
  Connections,
  | "count"
  | "upgraded"
  | "requests"
  | "totalRequests"
  | "totalConnections"
  | "totalRefused"
  | "totalFailedHandshakes"
  | "openRequests"
  | "oldestRequests"
> & { readonly meter: Pick<RequestMeter, "take"> | undefined };

/** A timer of this many milliseconds samples the loop's delay: an idle instance pays 1 ms of CPU time per second for 50, 5 for 10. */
const RESOLUTION_MS = 50;
/** Requests that take longer are named in the heartbeat, the oldest of them. */
const LONG_MS = 1000;
const MOST_REQUESTS = 5;

/**
 * Sends heartbeats until the process ends; its timers do not hold it. The function that it returns sends one more at once, for what
 * was counted after the last.
 */
export function startHeartbeat(setup: HeartbeatSetup): () => void {
  const { intervalMs, connections, send, clock } = setup;
  // For the inspector, by which the supervisor looks into an instance whose loop is blocked: newest first, since what blocks is new.
  const openRequests = (): OpenRequest[] => connections.openRequests().toReversed().slice(0, 100);
  Object.defineProperty(globalThis, Symbol.for(OPEN_REQUESTS_SYMBOL), { value: openRequests, configurable: true });
  const meter = new Meter(clock, intervalMs);
  const counter = new Counter(connections, clock);
  let unsent = false;
  const sendBeat = (): void => {
    const statistics = { ...countersOf(connections), ...meter.read() };
    // The supervisor does not read, or was stopped: one unread heartbeat says as much as a thousand, which would pile up here.
    if (unsent) return;
    const measured = counter.take();
    const oldest = connections.oldestRequests(MOST_REQUESTS, LONG_MS);
    unsent = true;
    send(oldest.length === 0 ? { statistics, measured } : { statistics, measured, openRequests: oldest }, () => {
      unsent = false;
    });
  };
  const beat = (): void => {
    clock.after(intervalMs, beat);
    sendBeat();
  };
  clock.after(intervalMs, beat);
  return sendBeat;
}

/** Takes what was counted since it was taken last: every count is sent once. */
class Counter {
  readonly #connections: MeasuredConnections;
  readonly #clock: Clock;
  readonly #gc = gcGauge();
  #at: number;
  /** Undefined at first: what the start took counts too. */
  #cpu: NodeJS.CpuUsage | undefined;
  #accepted = 0;
  #refused = 0;
  #failedHandshakes = 0;

  constructor(connections: MeasuredConnections, clock: Clock) {
    this.#connections = connections;
    this.#clock = clock;
    this.#at = clock.now();
  }

  take(): Measured {
    const { meter, totalConnections, totalRefused, totalFailedHandshakes } = this.#connections;
    const now = this.#clock.now();
    const { user, system } = process.cpuUsage(this.#cpu);
    const measured = {
      elapsedMs: rounded(now - this.#at),
      ...(meter?.take() ?? { responses: [], durations: [], durationSum: 0 }),
      connections: totalConnections - this.#accepted,
      refused: totalRefused - this.#refused,
      failedHandshakes: totalFailedHandshakes - this.#failedHandshakes,
      cpuUser: user / 1000,
      cpuSystem: system / 1000,
      ...this.#gc(),
    };
    this.#at = now;
    this.#cpu = process.cpuUsage();
    this.#accepted = totalConnections;
    this.#refused = totalRefused;
    this.#failedHandshakes = totalFailedHandshakes;
    return measured;
  }
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
    const cpu = process.cpuUsage();
    const used = cpu.user - this.#cpu.user + (cpu.system - this.#cpu.system);
    const loop = performance.eventLoopUtilization();
    const { used_heap_size: heapUsed, heap_size_limit: heapLimit } = getHeapStatistics();
    const statistics = {
      rss: process.memoryUsage.rss(),
      heapUsed,
      heapLimit,
      heapFill: rounded(this.#heapFill()),
      cpu: rounded(used / 1000 / elapsed),
      ...this.#delays(elapsed),
      utilization: rounded(performance.eventLoopUtilization(loop, this.#loop).utilization),
    };
    this.#at = now;
    this.#cpu = cpu;
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
