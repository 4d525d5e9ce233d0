/**
 * What the supervisor tells of itself, as data: the control API sends it, the command line renders it. Types only; both sides of
 * the control socket use them.
 */
import type { ExitReason } from "../events.ts";
import type { LogStatistics } from "../logs/counts.ts";
import type { BridgeStats } from "../messaging/bridges/reports.ts";
import type { Statistics } from "../protocol.ts";
import type { InstanceState } from "./states.ts";

export interface Snapshot {
  readonly name: string;
  /** Choir's version. */
  readonly version: string;
  /** The supervisor's process. */
  readonly pid: number;
  /** ISO 8601 in UTC. */
  readonly startedAt: string;
  readonly state: "running" | "restarting" | "stopping";
  /** Raised by one with each rolling restart. */
  readonly generation: number;
  /** How many instances are wanted. */
  readonly instances: number;
  /** How many are ready. */
  readonly ready: number;
  readonly urls: readonly string[];
  /** Of all slots together. */
  readonly traffic: Traffic;
  readonly slots: readonly SlotSnapshot[];
  /** How the last rolling restart ended. */
  readonly lastRestart: RestartResult | null;
  /** What the engine between machines does; null without one. */
  readonly engine: BridgeStats | null;
  /** What was logged; null where nobody logs. */
  readonly logs: LogStatistics | null;
}

export interface SlotSnapshot {
  readonly id: number;
  /** How often it was filled anew. */
  readonly restarts: number;
  readonly traffic: Traffic;
  /** The one that serves, the one that is to follow it, and those that still drain. */
  readonly instances: readonly InstanceSnapshot[];
  readonly lastExit: {
    readonly reason: ExitReason;
    readonly code: number | null;
    readonly signal: string | null;
    readonly at: string;
  } | null;
}

export interface InstanceSnapshot {
  readonly uid: string;
  readonly pid: number;
  readonly generation: number;
  readonly state: InstanceState;
  /** Milliseconds since its process was spawned. */
  readonly uptimeMs: number;
  /** What it last said of itself; null before the first heartbeat. */
  readonly statistics: Statistics | null;
  readonly traffic: Traffic;
  /** Milliseconds since it was heard last; null until it was ready. More than a few seconds: its event loop is blocked. */
  readonly heardMs: number | null;
}

/** What was answered in the last few seconds. Who is not heard any more counts for nothing. */
export interface Traffic {
  readonly requestsPerSecond: number;
  /** Answers with a status of 500 and above. */
  readonly errorsPerSecond: number;
  /** Answers that did not reach their end. */
  readonly abortedPerSecond: number;
  /** Milliseconds that half of all answers took at most, right to within a quarter; null when there were none. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

/** How a rolling restart ended. */
export interface RestartResult {
  /**
   * `done`: all are of the new generation. `failed`: taken back, the old generation serves. `mixed`: taken back, but a slot could not
   * be given its old code. `stopped`: the supervisor was told to stop meanwhile.
   */
  readonly outcome: "done" | "failed" | "mixed" | "stopped";
  /** The generation that was rolled out. */
  readonly generation: number;
  /** Why it was taken back. */
  readonly error?: string;
  /** What the newcomer wrote to stderr last. */
  readonly lastWords?: readonly string[];
  readonly durationMs: number;
}

/** How a change of the number of instances ended. */
export interface ScaleResult {
  /** How many instances are wanted now. */
  readonly instances: number;
}
