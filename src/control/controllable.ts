/**
 * What the control socket steers: the few methods of the Supervisor that its routes call, and the lines they answer with. Types
 * only; used in the supervisor and by the `choir` command.
 */
import type { ChoirEvent } from "../events.ts";
import type { MetricsText } from "./metrics/collector.ts";
import type { RestartResult, ScaleResult, Snapshot } from "../supervisor/snapshot.ts";

/** `by` says who asked, for the log. */
export interface Controllable {
  snapshot(): Snapshot;
  /** Resolved when the rollout has ended, also when it was taken back. */
  restart(by: string): Promise<RestartResult>;
  scale(instances: number, by: string): Promise<ScaleResult>;
  stop(by: string): void;
  /** For Prometheus, in the form that an Accept header asks for. */
  metrics(accept: string | undefined): Promise<MetricsText>;
}

/** What went wrong with a request, as the control socket says it. */
export interface ControlFault {
  /** One of docs/errors.md. */
  readonly code: string;
  readonly message: string;
}

/** One line of an answer in application/x-ndjson: events as they happen, then how it ended. */
export type ControlLine = ChoirEvent | { readonly result: unknown } | { readonly error: ControlFault };
