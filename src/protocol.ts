/**
 * All that travels between the supervisor and one instance besides logs and pub/sub frames: the environment value an instance
 * is born with, and the control messages on Node's IPC channel. Used in both processes.
 */
import type { HeaderPolicyOptions } from "./http/headers.ts";
import type { Measured } from "./measured.ts";
import type { InstanceOptions } from "./options/table.ts";

/** What an instance knows of itself; registered in the container as `instance`. */
export interface InstanceInfo {
  /** The slot's number, 0-based; the replacement of a crashed instance gets the same one. */
  readonly id: number;
  /** Unique for each process, since two may share an `id` while one replaces the other. */
  readonly uid: string;
  /** Raised by one with each rolling restart; 0 at first. */
  readonly generation: number;
  readonly pid: number;
  /** The Runner's name. */
  readonly name: string;
  /** How many instances the supervisor kept when the process was spawned: choir scale changes it for those that come later. */
  readonly concurrency: number;
  /** When the process was spawned, ISO 8601 in UTC. */
  readonly startedAt: string;
  /** How often the slot has been filled anew since the supervisor started. */
  readonly restarts: number;
}

/** A listening socket that the supervisor has bound and the instance inherits. */
export interface InheritedListener {
  /** The descriptor's number in the instance. */
  readonly fd: number;
  /** Scheme-less address as a person writes it: `127.0.0.1:3000`, `[::]:3000` or `unix:/run/app.sock`. */
  readonly address: string;
}

/** The value of the environment variable that makes a process an instance; the preload reads and deletes it. */
export interface InstanceBirth {
  readonly info: Omit<InstanceInfo, "pid">;
  readonly options: InstanceOptions;
  readonly listeners: readonly InheritedListener[];
  /** Descriptor of the pub/sub socketpair in the instance. */
  readonly pubSubFd: number;
  /** The header policy of the configuration file, which wins over that of the Runner's options. */
  readonly headers?: HeaderPolicyOptions;
  /** Set when `choir start` runs a file, which need not be a Runner program. */
  readonly module?: ModuleBirth;
}

/** How the file of `choir start` is to be taken. */
export interface ModuleBirth {
  /** The file that runs as the main module: absolute, links followed. */
  readonly entry: string;
  readonly serve: "auto" | "exports" | "listen";
  /** --ready was not given: a file that sends "ready" by itself decides. */
  readonly mayDecideReady: boolean;
  /** `choir check`: the instance gets ready and never listens. */
  readonly isPrivate: boolean;
  /** --watch: it reports what it loads. */
  readonly isWatched: boolean;
}

/** Name of that environment variable. */
export const BIRTH_VARIABLE = "CHOIR_INSTANCE";

/**
 * The flag of Node's that every instance has: where an inspector would listen, were it ever asked to. The supervisor asks an
 * instance whose loop is blocked, right before it kills it.
 */
export const INSPECT_PORT_FLAG = "--inspect-port=127.0.0.1:0";

/** An error on its way over IPC. */
export interface SentError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  /** What to do about it. */
  readonly hint?: string;
  /** The whole of it with stack and causes, as Node prints it. */
  readonly text: string;
}

/** Why an instance is told to drain. */
export type DrainReason = "stop" | "replaced";

/** Control messages from the supervisor to an instance. `choir` tells them from the app's own IPC messages. */
export type ToInstance =
  | { readonly choir: "drain"; readonly reason: DrainReason }
  /** It holds far more connections than the others: some are to go, gently. */
  | { readonly choir: "let-go"; readonly connections: number }
  /** Before it needs it, and again whenever it changes. */
  | { readonly choir: "tls"; readonly material: TlsMaterial }
  /** One of the sockets that `listen` asked for: the message carries its handle. */
  | {
      readonly choir: "socket";
      readonly ask: number;
      readonly index: number;
      readonly count: number;
      readonly address: string;
    }
  | { readonly choir: "socket-refused"; readonly ask: number; readonly error: RefusedSocket }
  /** Wants to know something; answered by "answer", in parts. */
  | { readonly choir: "ask"; readonly id: number; readonly question: Question }
  /** Wants the next part of an answer. */
  | { readonly choir: "more"; readonly id: number }
  /** Wants no more of it. */
  | { readonly choir: "enough"; readonly id: number };

/** What an instance may be asked for. */
export type Question =
  /** The metrics of the app's own prom-client registries, as JSON. */
  | { readonly about: "app-metrics" }
  /** Where its CPU time goes for so long, as V8's profile. */
  | { readonly about: "cpu-profile"; readonly ms: number }
  /** What is in its JavaScript heap, as V8's snapshot. */
  | { readonly about: "heap-snapshot" };

/** A part of an answer, in base64; the last has none, or says why there is no answer. */
export interface Answer {
  readonly choir: "answer";
  readonly id: number;
  readonly part?: string;
  readonly last: boolean;
  readonly error?: string;
}

/** Which socket an instance asks for when its app calls `listen()`. */
export type SocketWish =
  /** Those of --address and --port. */
  | { readonly kind: "default" }
  | {
      readonly kind: "tcp";
      /** Null: the app named none. */
      readonly host: string | null;
      readonly port: number;
      /** Tells several wishes for port 0 apart: the n-th of every instance is one socket. */
      readonly ordinal: number;
      readonly ipv6Only: boolean;
    }
  /** An absolute path; the mode only when the app asks for one. */
  | { readonly kind: "unix"; readonly path: string; readonly mode?: number };

/** Why an address cannot be had: Choir's error, and the system's code for the app. */
export interface RefusedSocket {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly system: string;
}

/** What an instance serves TLS with. By IPC only: never in an argument, an environment, a file or a log. */
export interface TlsMaterial {
  readonly identity:
    | { readonly form: "pem"; readonly certificate: string; readonly key: string }
    /** Base64. The passphrase goes along, since nothing public of Node's opens PKCS#12 but a TLS context. */
    | { readonly form: "pkcs12"; readonly pfx: string; readonly passphrase: string | undefined };
  /** 48 bytes in base64, the same in all instances: a session that one of them began is resumed by any. */
  readonly ticketKeys: string;
}

/** Control messages from an instance to its supervisor. */
export type ToSupervisor =
  | Answer
  /** It listens on every socket. */
  | { readonly choir: "ready" }
  /** It cannot start; it exits right after this. `final`: trying again does not help. */
  | { readonly choir: "start-failed"; readonly error: SentError; readonly final: boolean }
  /** Its app cannot speak HTTP/2, and --http2 was given: clients are offered HTTP/1.1. Sent before it is ready. */
  | { readonly choir: "http1-only"; readonly app: string }
  /** What its copy of the code gives to `new Runner`; sent by those of a rolling restart, before they are ready. */
  | ({ readonly choir: "declared" } & Declaration)
  /** Its app calls `listen()`, and gets a socket that all instances share. */
  | { readonly choir: "listen"; readonly ask: number; readonly wish: SocketWish; readonly scheme: string }
  /** Its app has closed what it got for that `listen`. */
  | { readonly choir: "unlisten"; readonly ask: number }
  /** It wants to end, by a signal of its own or after an uncaught error: it serves until it is told to drain. */
  | { readonly choir: "leaving"; readonly reason: "left" | "uncaught" }
  /** Sent from time to time while it drains: what it still waits for. */
  | { readonly choir: "open-requests"; readonly requests: readonly OpenRequest[] }
  /** Sent from ready to the end of the drain; `openRequests` are the oldest few, when there are any that take long. */
  | {
      readonly choir: "heartbeat";
      readonly statistics: Statistics;
      readonly measured: Measured;
      readonly openRequests?: readonly OpenRequest[];
    };

/** What code gives to `new Runner`. */
export interface Declaration {
  readonly name: string;
  /** The table's options that are given, as JSON. */
  readonly options: Readonly<Record<string, string>>;
}

/** Name of the global symbol under which an instance keeps a function that names its open requests, for the inspector. */
export const OPEN_REQUESTS_SYMBOL = "choir.open-requests";

/** What an instance tells of itself with every heartbeat. Totals are since its start. */
export interface Statistics {
  readonly requests: number;
  /** Requests that are being answered. */
  readonly inFlight: number;
  readonly connections: number;
  /** Those of them that left HTTP/1, as WebSockets do. */
  readonly upgraded: number;
  /** Resident set, bytes. */
  readonly rss: number;
  readonly heapUsed: number;
  readonly heapLimit: number;
  /** How full the old generation of the heap is, 0 to 1: V8 ends the process at 1. */
  readonly heapFill: number;
  /** CPU time since the last heartbeat, as a share of one core. */
  readonly cpu: number;
  /** Delay of the event loop since the last heartbeat, milliseconds; what is shorter than 50 ms is sampled. */
  readonly loopDelayMean: number;
  readonly loopDelayMax: number;
  /** Share of the time in which the loop was busy, 0 to 1. */
  readonly utilization: number;
}

/** A request that a drain waited for in vain: never with its query, which may hold secrets. */
export interface OpenRequest {
  readonly method: string;
  readonly path: string;
  readonly ageMs: number;
}

const FIGURES: readonly (keyof Statistics)[] = [
  "requests",
  "inFlight",
  "connections",
  "upgraded",
  "rss",
  "heapUsed",
  "heapLimit",
  "heapFill",
  "cpu",
  "loopDelayMean",
  "loopDelayMax",
  "utilization",
];

/** Whether a value is a heartbeat's figures: the channel is the app's too, and nothing on it may end the supervisor. */
export function isStatistics(value: unknown): value is Statistics {
  return (
    typeof value === "object" && value !== null && FIGURES.every((name) => Number.isFinite(Reflect.get(value, name)))
  );
}

/** Whether a value is a list of requests; likewise. */
export function isOpenRequests(value: unknown): value is readonly OpenRequest[] {
  return (
    Array.isArray(value) &&
    value.every(
      (item: unknown) =>
        typeof item === "object" &&
        item !== null &&
        typeof Reflect.get(item, "method") === "string" &&
        typeof Reflect.get(item, "path") === "string" &&
        Number.isFinite(Reflect.get(item, "ageMs")),
    )
  );
}

/** Whether a value is a wish for a socket; likewise. */
export function isSocketWish(value: unknown): value is SocketWish {
  if (typeof value !== "object" || value === null) return false;
  const { kind, host, port, ordinal, path, mode } = value as Readonly<Record<string, unknown>>;
  if (kind === "default") return true;
  if (kind === "unix") return typeof path === "string" && (mode === undefined || Number.isInteger(mode));
  const isPort = Number.isInteger(port) && Number(port) >= 0 && Number(port) <= 65_535;
  return kind === "tcp" && (host === null || typeof host === "string") && isPort && Number.isInteger(ordinal);
}

/** Whether an IPC message is one of Choir's. */
export function isControlMessage(message: unknown): message is { choir: string } {
  return typeof message === "object" && message !== null && typeof (message as { choir?: unknown }).choir === "string";
}

/** Whether a value is an error as an instance sends it: the channel is the app's too, and nothing on it may end the supervisor. */
export function isSentError(value: unknown): value is SentError {
  if (typeof value !== "object" || value === null) return false;
  const { name, message, code, text } = value as Readonly<Record<string, unknown>>;
  const texts = [name, message, text, code ?? ""];
  return texts.every((field) => typeof field === "string");
}
