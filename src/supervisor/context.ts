/** What a supervisor is given, and what its life comes to. Types only; used in the supervisor. */
import type { Clock } from "../clock.ts";
import type { ChoirError, ExitCode } from "../errors.ts";
import type { ChoirEvent } from "../events.ts";
import type { LogStatistics } from "../logs/counts.ts";
import type { BridgeStats } from "../messaging/bridges/reports.ts";
import type { Launcher } from "./launcher.ts";

export interface SupervisorOptions {
  readonly name: string;
  /** Choir's version. */
  readonly version: string;
  readonly instances: number;
  /** Whether a crashed instance is followed by a new one. */
  readonly respawn: boolean;
  /** How many newcomers a rolling restart has beside the old ones: a number or a percentage. */
  readonly maxSurge: string;
  /** How long the first newcomer must stay ready, in milliseconds. */
  readonly canaryTime: number;
  /** An instance that cannot start is not tried again before the next rolling restart, and is no reason to end. Default: false. */
  readonly holdFailures?: boolean;
  /** How the listening sockets are written in URLs, as far as they are known by now. */
  readonly urls: readonly string[];
}

export interface SupervisorContext {
  readonly launcher: Launcher;
  readonly clock: Clock;
  readonly emit: (event: ChoirEvent) => void;
  /** What the engine between machines does; undefined without one. */
  readonly engine?: () => BridgeStats | undefined;
  /** What was logged. */
  readonly logs?: () => LogStatistics;
  /** Called once, when the end begins: who connects from then on is not to wait in a queue that nobody empties. */
  readonly ending?: () => void;
}

/** How the supervisor's life ended. */
export interface Outcome {
  readonly code: ExitCode;
  /** Why, when it was not asked to. */
  readonly error?: ChoirError;
}
