/**
 * The one table of options: flags, environment names, help, checks, defaults, types and docs/options.md all come from it.
 * A leaf, used in both processes (in the instance for its types and, through environment.ts, its names): it imports only rows
 * and reads nothing.
 */
import { DASHBOARD_OPTIONS } from "./dashboard-options.ts";
import { DEPLOY_ROWS } from "./deploy-rows.ts";
import { HEALTH_OPTIONS } from "./health-options.ts";
import { MESSAGING_ROWS } from "./messaging-rows.ts";
import { LOG_ROWS } from "./log-rows.ts";
import { METRICS_OPTIONS } from "./metrics-options.ts";
import { SERVER_ROWS } from "./server-rows.ts";
import { START_ROWS } from "./start-rows.ts";

/** What a value of each kind is in code. */
export interface Kinds {
  boolean: boolean;
  string: string;
  integer: number;
  /** Written `500ms`, `10s`, `5m`, `2h`, `1d`; milliseconds in code. */
  duration: number;
  /** Written `100MB` (1000s) or `100MiB` (1024s); bytes in code. */
  size: number;
  /** `auto` or a whole number. */
  count: number | "auto";
  /** A size in bytes, or a share of the memory there is, written `512MB` or `25%`. */
  memory: number | `${number}%`;
  /** An octal file mode, written `0660`. */
  mode: number;
  /** A whole number or a percentage, written `2` or `50%`; a string in code too. */
  share: string;
  /** May be given several times. */
  list: readonly string[];
}

export type Kind = keyof Kinds;

/** The value of any option in code. */
export type OptionValue = Kinds[Kind];

export interface Option<K extends Kind = Kind, D = unknown, C extends string = string> {
  readonly kind: K;
  /** One sentence, for --help and the docs. */
  readonly help: string;
  readonly default: D;
  /** What help prints instead of the default's own text, where that would not say it. */
  readonly defaultText?: string;
  /** One letter: `-p`. */
  readonly short?: string;
  /** An environment name besides `CHOIR_…`, which every option has. */
  readonly env?: string;
  /** Whether `--no-…` exists. */
  readonly negatable?: boolean;
  /** The values allowed, for kind `string`. */
  readonly choices?: readonly C[];
  readonly min?: number;
  readonly max?: number;
  /** Whether 0, which switches it off, is allowed below `min`. */
  readonly orZero?: true;
  /** How the value is called in help: `<host>`. */
  readonly placeholder?: string;
  /** The group in help and docs. */
  readonly group: OptionGroup;
  /** A further paragraph for the docs. */
  readonly more?: string;
  /** A password: shown in no message, help or log, and deleted from the environment once it is read. */
  readonly secret?: true;
}

export type OptionGroup =
  | "start"
  | "general"
  | "address"
  | "tls"
  | "limits"
  | "life"
  | "metrics"
  | "messaging"
  | "logs";

function option<K extends Kind, const D extends Kinds[K] | undefined, const C extends string = string>(
  spec: Option<K, D, C>,
): Option<K, D, C> {
  return spec;
}

const SECOND = 1000;

/** Every option, in the order of --help. */
export const OPTIONS = {
  respawn: option({
    kind: "boolean",
    group: "general",
    negatable: true,
    default: true,
    help: "Start a new instance in the place of one that crashed",
  }),
  quiet: option({
    kind: "boolean",
    group: "general",
    default: false,
    help: "Print nothing on the console; a fatal start still says why, on stderr",
  }),
  /** Gives every request a context of its own: `currentRequest()` of "choir/instance". */
  useZone: option({
    kind: "boolean",
    group: "general",
    default: false,
    help: "Give each request a context and an id of its own; an error that nobody caught is answered with 500",
    more:
      '`currentRequest()` of "choir/instance" has `id`, `method`, `path` and `startedAt`; lines of the logger and Fastify\'s `request.id` ' +
      "carry the same id. A rejected promise that nobody awaited fails its request and leaves the instance alone; a thrown error is for " +
      "`--uncaught`. An answer that had begun is cut off. It costs 2 to 4 µs of CPU for each request (docs/decisions/0012-zone.md).",
  }),
  trustRequestId: option({
    kind: "boolean",
    group: "general",
    default: false,
    help: "With --use-zone: take a request's id from its x-request-id header",
    more:
      "Only behind a proxy that sets or removes the header itself: otherwise clients choose what your log lines say. An id is 1 to 128 " +
      "letters, digits and `_ . : ; = @ + / ~ -`; with any other one the request gets an id as if it had brought none.",
  }),
  /** Undefined: the first of choir.config.ts, .js, .mjs and .json that there is in the working directory. */
  config: option({
    kind: "string",
    group: "general",
    placeholder: "file|off",
    default: undefined,
    defaultText: "choir.config.*",
    help: "File of options, .ts, .js, .mjs or .json; off for none",
    more:
      "Without it, `choir.config.ts`, `.js`, `.mjs` or `.json` in the working directory, where there is one. " +
      "See [start.md](start.md#the-configuration-file).",
  }),
  /** Undefined: the first folder that there is of those in docs/commands.md. */
  control: option({
    kind: "string",
    group: "general",
    placeholder: "path|off",
    default: undefined,
    help: "Control socket for choir's commands, or a folder for it; off for none",
    more:
      "Without it, the socket is `<name>.sock` in `$RUNTIME_DIRECTORY`, `$XDG_RUNTIME_DIR/choir`, `/run/choir` or a folder of the user's " +
      "below the system's temporary one: the first that there is. Only the user who runs the app can connect. See [commands.md](commands.md).",
  }),
  /** Where to listen: an IPv4 or IPv6 address, a host name, or `unix:/path`. */
  address: option({
    kind: "list",
    group: "address",
    short: "a",
    env: "HOST",
    placeholder: "host",
    default: ["127.0.0.1"],
    help: "Address to listen on, or unix:/path; may be given several times",
    more: "In the environment, several addresses are separated by commas: `HOST=127.0.0.1,::1`.",
  }),
  concurrency: option({
    kind: "count",
    group: "general",
    short: "j",
    env: "WEB_CONCURRENCY",
    min: 1,
    max: 1024,
    placeholder: "n|auto",
    default: "auto",
    help: "How many instances to run; auto is one per CPU that the process may use",
    more:
      "`auto` is `os.availableParallelism()`, bounded by the CPU quota of the control group and of those above it; " +
      "a quota of 2.5 CPUs counts as 2, and less than 1 as 1.",
  }),
  /** 0 lets the system choose one port, the same for all instances. */
  port: option({
    kind: "integer",
    group: "address",
    short: "p",
    env: "PORT",
    min: 0,
    max: 65_535,
    placeholder: "n",
    default: 3000,
    help: "Port to listen on; 0 lets the system choose one for all instances",
    more:
      "Kubernetes sets `CHOIR_PORT=tcp://…` in every pod beside a service that is named `choir`: name the service otherwise, " +
      "or set `enableServiceLinks: false`.",
  }),
  socketMode: option({
    kind: "mode",
    group: "address",
    placeholder: "mode",
    default: 0o660,
    defaultText: "0660",
    help: "File mode of a Unix socket",
  }),
  /** How many completed connections the kernel queues for all instances together. */
  backlog: option({
    kind: "count",
    group: "address",
    min: 1,
    max: 2_147_483_647,
    placeholder: "n|auto",
    default: "auto",
    help: "How many connections may wait until an instance accepts them; auto is the system's limit, net.core.somaxconn",
  }),
  bindRetry: option({
    kind: "duration",
    group: "address",
    placeholder: "time",
    default: 5 * SECOND,
    help: "How long to try again while the address is in use",
  }),
  ...DEPLOY_ROWS,
  ...SERVER_ROWS,
  ready: option({
    kind: "string",
    choices: ["auto", "manual"],
    group: "life",
    placeholder: "auto|manual",
    default: "auto",
    help: "When an instance takes requests: auto when configureServer is done, manual when the app calls ready()",
  }),
  /** Asked inside the process, over a connection of its own, so that no client meets an instance that is not ready. */
  readinessPath: option({
    kind: "string",
    group: "life",
    placeholder: "path",
    default: undefined,
    help: "Path that must answer 2xx or 3xx before an instance listens, such as /healthz",
  }),
  startTimeout: option({
    kind: "duration",
    group: "life",
    min: 1,
    placeholder: "time",
    default: 60 * SECOND,
    help: "How long an instance may take to get ready before it is killed",
  }),
  /** From the order to drain until SIGKILL. */
  shutdownTimeout: option({
    kind: "duration",
    group: "life",
    min: 1,
    placeholder: "time",
    default: 30 * SECOND,
    help: "How long an instance that is to stop may take for its open requests before it is killed",
  }),
  idleGrace: option({
    kind: "duration",
    group: "life",
    placeholder: "time",
    default: 500,
    help: "How long connections without a request stay open when the program stops",
  }),
  /** For load balancers, which must see that it is not ready before it refuses. */
  drainDelay: option({
    kind: "duration",
    group: "life",
    placeholder: "time",
    default: 0,
    help: "How long an instance goes on accepting after it was told to drain",
  }),
  closeSpread: option({
    kind: "duration",
    group: "life",
    placeholder: "time",
    default: 10 * SECOND,
    help: "Over how long a replaced instance closes its WebSockets",
  }),
  /** An old instance drains only when its whole batch of newcomers has passed. */
  maxSurge: option({
    kind: "share",
    group: "life",
    placeholder: "n|n%",
    default: "1",
    help: "How many newcomers a rolling restart starts beside the old instances",
    more: "With `100%` every old instance is kept until all newcomers are good, at twice the memory.",
  }),
  /** The first newcomer of a rolling restart is a canary. */
  canaryTime: option({
    kind: "duration",
    group: "life",
    placeholder: "time",
    default: 3 * SECOND,
    help: "How long the first newcomer of a rolling restart must stay ready before others follow",
  }),
  uncaught: option({
    kind: "string",
    choices: ["replace", "exit", "keep"],
    group: "life",
    placeholder: "replace|exit|keep",
    default: "replace",
    help: "What follows an uncaught error: replace the instance and let it drain, exit at once, or keep it and only log",
    more:
      "`replace`: the instance accepts until its replacement is ready, then answers what it has and exits with 1; errors that come back " +
      "quickly wait longer and longer for theirs, as respawns do, and the instance serves on. Without `--use-zone` nobody knows which " +
      "request failed: when a drain has nothing left but requests that were open at an uncaught error, no more of them than there were " +
      "such errors, and their connections have been silent for 10 s (or a third of `--shutdown-timeout`, if that is less), it answers " +
      "them with 500. An app with an `uncaughtException` or `unhandledRejection` handler of its own decides for itself.",
  }),
  ...HEALTH_OPTIONS,
  ...METRICS_OPTIONS,
  ...DASHBOARD_OPTIONS,
  ...MESSAGING_ROWS,
  ...LOG_ROWS,
} as const;

export type OptionName = keyof typeof OPTIONS;

/** Every option's name, in the order of --help. */
export const OPTION_NAMES = Object.keys(OPTIONS) as readonly OptionName[];

/** An option that only `choir start` has. */
export type StartOptionName = keyof typeof START_ROWS;

/** Every option that only `choir start` has, in the order of --help. */
export const START_OPTION_NAMES = Object.keys(START_ROWS) as readonly StartOptionName[];

/** An option of any program. */
export type AnyOptionName = OptionName | StartOptionName;

/** Looks an option's row up, as the general type that checks and help work on. */
export function specOf(name: AnyOptionName): Option {
  return name in START_ROWS ? START_ROWS[name as StartOptionName] : OPTIONS[name as OptionName];
}

type ValueOf<O> =
  O extends Option<infer K, infer D, infer C> ? (string extends C ? Kinds[K] : C) | Extract<D, undefined> : never;

/** Every option with its value: what all code outside `options/` receives. */
export type ResolvedOptions = { readonly [N in OptionName]: ValueOf<(typeof OPTIONS)[N]> };

/** Every option that only `choir start` has, with its value. */
export type StartOptions = { readonly [N in StartOptionName]: ValueOf<(typeof START_ROWS)[N]> };

type WrittenValueOf<O> =
  | Exclude<ValueOf<O>, undefined>
  // With their unit, as on the command line.
  | (O extends { readonly kind: "duration" | "size" | "memory" | "mode" } ? string : never);

/** The options as a configuration file may hold them. */
export type FileValues = {
  readonly [N in Exclude<OptionName, "config">]?: WrittenValueOf<(typeof OPTIONS)[N]> | undefined;
} & { readonly [N in StartOptionName]?: WrittenValueOf<(typeof START_ROWS)[N]> | undefined };

/** The options as a Runner program writes them. */
export type TableOptions = Partial<ResolvedOptions>;

/** The options that an instance gets; the others are the supervisor's alone. */
const INSTANCE_OPTIONS = [
  "ready",
  "readinessPath",
  "shutdownTimeout",
  "idleGrace",
  "drainDelay",
  "closeSpread",
  "useZone",
  "trustRequestId",
  "uncaught",
  "ssl",
  "http2",
  "keepAliveTimeout",
  "requestTimeout",
  "headersTimeout",
  "maxRequestsPerSocket",
  "maxHeaderSize",
  "logLevel",
  "logRedact",
  "logFormat",
  "logFileFormat",
  "accessLog",
  "accessLogQuery",
] as const satisfies readonly OptionName[];

/** What the supervisor makes of options for its instances. */
export interface DerivedOptions {
  /** What `auto` has become. */
  readonly backlog: number;
  /** Milliseconds between two heartbeats. */
  readonly heartbeatInterval: number;
}

/** What an instance needs of them. No passwords: what TLS needs comes by IPC. */
export type InstanceOptions = Pick<ResolvedOptions, (typeof INSTANCE_OPTIONS)[number]> & DerivedOptions;

/** Picks what an instance gets. */
export function instanceOptionsOf(options: ResolvedOptions, derived: DerivedOptions): InstanceOptions {
  const entries = INSTANCE_OPTIONS.map((name) => [name, options[name]]);
  return { ...(Object.fromEntries(entries) as Pick<ResolvedOptions, (typeof INSTANCE_OPTIONS)[number]>), ...derived };
}

/** The command-line form of an option's name: `startTimeout` is `--start-timeout`. */
export function flagOf(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** The environment name that every option has: `CHOIR_START_TIMEOUT`. */
export function variableOf(name: string): string {
  return `CHOIR_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
