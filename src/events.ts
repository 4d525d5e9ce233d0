/**
 * What happens in the supervisor, as data: JSON logs and (later) the control API send the object itself; describe-event.ts is the
 * only place that makes sentences of it. Used in the supervisor; a leaf.
 */
import type { OpenRequest } from "./protocol.ts";

/** Why an instance ended: data, never a state. */
export type ExitReason =
  /** The supervisor asked it to stop. */
  | "asked"
  /** It ended by itself, by an error or a signal that the supervisor did not send. */
  | "crashed"
  /** It said that it cannot start, or ended before it was ready. */
  | "start-failed"
  /** It was not ready by --start-timeout. */
  | "start-timeout"
  /** It was still open at --shutdown-timeout, or a second signal came. */
  | "killed"
  /** A SIGTERM of its own made it drain. */
  | "left"
  /** An uncaught error made it drain. */
  | "uncaught"
  /** Its pub/sub pipe carried something that is no frame. */
  | "broken-pipe"
  /** Its event loop was blocked past --unresponsive-timeout. */
  | "unresponsive"
  /** Its JavaScript heap was full, or the kernel killed it for want of memory. */
  | "out-of-memory"
  | RecycleReason;

/** Why a healthy instance is replaced: it reached a limit that was set for it, or its JavaScript heap is nearly full. */
export type RecycleReason = "max-requests" | "max-age" | "max-memory" | "heap";

interface OfInstance {
  /** The slot's number. */
  readonly instance: number;
  readonly generation: number;
  readonly pid: number;
}

export type ChoirEvent =
  | {
      readonly event: "starting";
      /** The Runner's name. */
      readonly name: string;
      readonly instances: number;
      readonly addresses: readonly string[];
      readonly pid: number;
      /** Choir's. */
      readonly version: string;
      /** The control socket's path; left away when there is none. */
      readonly control?: string;
    }
  /** The service manager has passed listening sockets: these are used, in place of --address and --port. */
  | { readonly event: "sockets-passed"; readonly names: readonly string[]; readonly addresses: readonly string[] }
  /** The app of `choir start` is ready and listens on none of these, which the service manager has passed: who connects there waits for nobody. */
  | { readonly event: "sockets-unused"; readonly addresses: readonly string[]; readonly urls: readonly string[] }
  /** The service manager has passed sockets, but to another process, which did not begin this one by `exec`. */
  | { readonly event: "sockets-for-another"; readonly pid: number }
  /** The service manager cannot be told how the service is doing. */
  | { readonly event: "notify-failed"; readonly error: string }
  /** Metrics can be read there, by --metrics. */
  | { readonly event: "metrics-listening"; readonly url: string }
  /** The dashboard is there, by --dashboard; `steers`: it has a token, by which it restarts and scales. */
  | { readonly event: "dashboard-listening"; readonly url: string; readonly steers: boolean }
  /** /livez and /readyz are answered there. */
  | { readonly event: "health-listening"; readonly url: string }
  /** The first process of a container, where nobody takes leave of processes that have lost their parents. */
  | { readonly event: "no-init"; readonly why: string }
  /** What --max-old-space-size is for each instance, and the control group's limit that it is a share of; `isNew` when their number has changed. */
  | {
      readonly event: "heap-shared";
      readonly heapMiB: number;
      readonly limitBytes: number;
      readonly isNew: boolean;
    }
  /** The app runs without a control socket. */
  | { readonly event: "control-unavailable"; readonly error: string; readonly hint: string }
  | ({
      readonly event: "instance-ready";
      readonly url: string;
      readonly urls: readonly string[];
      readonly startMs: number;
    } & OfInstance)
  | ({
      readonly event: "instance-start-failed";
      readonly error: string;
      readonly code?: string | undefined;
      readonly stack: string;
    } & OfInstance)
  | ({
      readonly event: "instance-exited";
      readonly reason: ExitReason;
      readonly code: number | null;
      readonly signal: string | null;
      readonly uptimeMs: number;
      /** Milliseconds until the slot is filled anew; null when it is not. */
      readonly respawnMs: number | null;
      /** What is known of why it ended, beyond code and signal. */
      readonly note?: string;
      /** It did not get ready, for a cause that has been said before. */
      readonly repeated: boolean;
    } & OfInstance)
  /** It is going to be replaced, and serves until then. */
  | ({
      readonly event: "instance-leaving";
      readonly reason: "left" | "uncaught" | "broken-pipe" | RecycleReason;
    } & OfInstance)
  /** It reached a limit; "instance-leaving" follows. Bytes, milliseconds, requests, or a share of the heap. */
  | ({
      readonly event: "instance-recycled";
      readonly reason: RecycleReason;
      readonly value: number;
      readonly limit: number;
      /** So soon after its start that the limit is hardly more than the app needs. */
      readonly early: boolean;
    } & OfInstance)
  /** Its event loop is blocked; it is killed right after this. */
  | ({
      readonly event: "instance-unresponsive";
      readonly silentMs: number;
      /** What its main thread does, as the kernel has it. */
      readonly state: "running" | "sleeping" | "waiting" | "stopped" | "unknown";
      /** The frames of what blocks it, innermost first. */
      readonly stack: readonly string[];
      /** Why there is no stack. */
      readonly missing?: string | undefined;
      readonly openRequests: readonly OpenRequest[];
    } & OfInstance)
  | ({
      readonly event: "instance-killed";
      readonly why: string;
      readonly openRequests: readonly OpenRequest[];
    } & OfInstance)
  /** It holds far more connections than the others: so many are closed, each with its next answer. */
  | ({ readonly event: "connections-moved"; readonly connections: number } & OfInstance)
  | ({ readonly event: "pubsub-overload"; readonly dropped: number; readonly droppedBytes: number } & OfInstance)
  /** It reads again: all that it lost since "pubsub-overload". */
  | ({ readonly event: "pubsub-recovered"; readonly dropped: number; readonly droppedBytes: number } & OfInstance)
  | ({ readonly event: "pubsub-broken"; readonly error: string } & OfInstance)
  /** Other machines can be reached: --pub-sub-url. */
  | { readonly event: "engine-connected"; readonly engine: string; readonly url: string }
  /** They cannot, and it is tried on. Once for each outage and cause. */
  | { readonly event: "engine-unreachable"; readonly engine: string; readonly url: string; readonly error: string }
  /** Messages to other machines found no room while they waited; `over` when there is room again, with all that were lost. */
  | {
      readonly event: "engine-dropped";
      readonly dropped: number;
      readonly droppedBytes: number;
      readonly over: boolean;
    }
  | { readonly event: "engine-warning"; readonly engine: string; readonly warning: string }
  /** The certificate that instances serve with from now on; dates are ISO 8601. */
  | {
      readonly event: "certificate-loaded";
      readonly file: string;
      /** The names it is for, else its subject. */
      readonly names: string;
      readonly serial: string;
      readonly validTo: string;
    }
  /** Files have changed, and what is in them cannot be used: the certificate before stays. */
  | { readonly event: "certificate-refused"; readonly file: string; readonly error: string }
  /** It is not valid now, or not for long. */
  | {
      readonly event: "certificate-expiring";
      readonly file: string;
      readonly validFrom: string;
      readonly validTo: string;
      readonly state: "not-yet-valid" | "expiring" | "expired";
    }
  /** The app cannot speak HTTP/2, though --http2 was given. */
  | { readonly event: "http1-only"; readonly app: string }
  /** A log file cannot be written, rotated or cleaned up after; it is tried again, and lines are kept meanwhile as far as there is room. */
  | {
      readonly event: "log-file-failed";
      readonly file: string;
      readonly trouble: "write" | "rotate" | "clean-up";
      readonly error: string;
      readonly code: string;
    }
  /** And can be again. */
  | {
      readonly event: "log-file-recovered";
      readonly file: string;
      readonly trouble: "write" | "rotate" | "clean-up";
      readonly lostLines: number;
      readonly failedMs: number;
    }
  /** A sink could not write for a while: the disk was full or nobody read. */
  | { readonly event: "log-lines-lost"; readonly sink: string; readonly lines: number }
  /** Lines and events below it are left out from now on. */
  | { readonly event: "log-level-changed"; readonly to: LevelName; readonly was: LevelName; readonly by: string }
  | { readonly event: "logs-reopened"; readonly by: string }
  | { readonly event: "all-crashed" }
  | { readonly event: "restart-started"; readonly generation: number; readonly by: string }
  | {
      readonly event: "restart-finished";
      readonly generation: number;
      /** As in RestartResult of supervisor/snapshot.ts. */
      readonly outcome: "done" | "failed" | "mixed" | "stopped";
      readonly durationMs: number;
      readonly error?: string;
      readonly lastWords?: readonly string[];
    }
  /** The code of a new generation asks for options that hold as long as the supervisor runs; values as JSON. */
  | {
      readonly event: "options-kept";
      readonly generation: number;
      readonly options: readonly { readonly option: string; readonly running: string; readonly wanted: string }[];
    }
  | { readonly event: "scaled"; readonly instances: number; readonly was: number; readonly by: string }
  | { readonly event: "stopping"; readonly by: string }
  | { readonly event: "stop-forced"; readonly by: string }
  | { readonly event: "stopped"; readonly code: number }
  | { readonly event: "stray-error"; readonly error: string; readonly stack: string };

/** The levels of pino, by name. */
export type LevelName = "trace" | "debug" | "info" | "warn" | "error" | "fatal";

/** An event as a sentence. */
export interface Description {
  readonly level: LevelName;
  readonly message: string;
  /** Further lines for a person: a stack, what was open, a piece of advice. JSON has it as fields where it matters. */
  readonly detail?: string;
}
