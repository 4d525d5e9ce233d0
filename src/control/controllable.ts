/**
 * What the control socket steers: the few methods of the Supervisor that its routes call, and the lines they answer with. Types
 * only; used in the supervisor and by the `choir` command.
 */
import type { ChoirEvent, LevelName } from "../events.ts";
import type { LogTail } from "../logs/tail.ts";
import type { Question } from "../protocol.ts";
import type { MetricsText } from "./metrics/collector.ts";
import type { Listener, ListenerSink } from "../messaging/operator.ts";
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
  /** Calls back for every event until the function it returns is called. */
  follow(listener: (event: ChoirEvent) => void): () => void;
  /** The log's last lines, and those to come. */
  readonly logs: Pick<LogTail, "last" | "follow">;
  /** The level below which lines and events are left out. */
  logLevel(): LevelName;
  setLogLevel(level: LevelName, by: string): void;
  /** Has log files opened anew. */
  reopenLogs(by: string): void;
  /** Looks into the instance that serves in a slot; fails when there is none, or it does not answer. */
  profile(slot: number, what: ProfileRequest): AsyncIterable<Buffer>;
  readonly messages: Messages;
}

/** What the routes of messages call. */
export interface Messages {
  /** Rejects with a ChoirError when the topic or the value cannot be published. */
  publish(topic: string, value: unknown, retain: boolean): Promise<void>;
  /** Throws a ChoirError when the pattern is none. */
  listen(pattern: string, sink: ListenerSink): Listener;
}

/** What is looked for in an instance. */
export type ProfileRequest = Extract<Question, { about: "cpu-profile" | "heap-snapshot" }>;

/** What went wrong with a request, as the control socket says it. */
export interface ControlFault {
  /** One of docs/errors.md. */
  readonly code: string;
  readonly message: string;
}

/** One line of an answer in application/x-ndjson: events as they happen, then how it ended. */
export type ControlLine = ChoirEvent | { readonly result: unknown } | { readonly error: ControlFault };
