/**
 * The one table of options: flags, environment names, help, checks, defaults, types and docs/options.md all come from it.
 * A leaf, used in both processes (in the instance for its types and, through environment.ts, its names): it reads
 * nothing, and imports only rows that are kept in a file of their own.
 */

import { SERVER_ROWS } from "./server-rows.ts";

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
  /** An octal file mode, written `0660`. */
  mode: number;
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
  /** How the value is called in help: `<host>`. */
  readonly placeholder?: string;
  /** The group in help and docs. */
  readonly group: OptionGroup;
  /** A further paragraph for the docs. */
  readonly more?: string;
  /** A password: shown in no message, help or log, and deleted from the environment once it is read. */
  readonly secret?: true;
}

export type OptionGroup = "general" | "address" | "tls" | "limits" | "life" | "logs";

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
    help: "Length of the queue of connections not yet accepted; auto is net.core.somaxconn",
  }),
  bindRetry: option({
    kind: "duration",
    group: "address",
    placeholder: "time",
    default: 5 * SECOND,
    help: "How long to wait for an address that is in use",
  }),
  ...SERVER_ROWS,
  ready: option({
    kind: "string",
    choices: ["auto", "manual"],
    group: "life",
    placeholder: "auto|manual",
    default: "auto",
    help: "When an instance listens: auto after configureServer, manual when the app calls ready()",
  }),
  startTimeout: option({
    kind: "duration",
    group: "life",
    min: 1,
    placeholder: "time",
    default: 60 * SECOND,
    help: "How long an instance may take to get ready",
  }),
  /** From the order to drain until SIGKILL. */
  shutdownTimeout: option({
    kind: "duration",
    group: "life",
    min: 1,
    placeholder: "time",
    default: 30 * SECOND,
    help: "How long an instance may take to drain before it is killed",
  }),
  idleGrace: option({
    kind: "duration",
    group: "life",
    placeholder: "time",
    default: 500,
    help: "How long idle keep-alive connections stay open after a stop was asked for",
  }),
  logFormat: option({
    kind: "string",
    choices: ["auto", "pretty", "json"],
    group: "logs",
    placeholder: "auto|pretty|json",
    default: "auto",
    help: "Form of the console's lines; auto is pretty on a terminal and json elsewhere",
  }),
} as const;

export type OptionName = keyof typeof OPTIONS;

/** Every option's name, in the order of --help. */
export const OPTION_NAMES = Object.keys(OPTIONS) as readonly OptionName[];

/** Looks an option's row up, as the general type that checks and help work on. */
export function specOf(name: OptionName): Option {
  return OPTIONS[name];
}

type ValueOf<O> =
  O extends Option<infer K, infer D, infer C> ? (string extends C ? Kinds[K] : C) | Extract<D, undefined> : never;

/** Every option with its value: what all code outside `options/` receives. */
export type ResolvedOptions = { readonly [N in OptionName]: ValueOf<(typeof OPTIONS)[N]> };

/** The options as a Runner program writes them. */
export type TableOptions = Partial<ResolvedOptions>;

/** What an instance needs of them. */
export type InstanceOptions = Pick<ResolvedOptions, "ready" | "shutdownTimeout" | "idleGrace"> & {
  /** A number here: the supervisor has resolved `auto`. */
  readonly backlog: number;
} & ServerOptions;

/** What the HTTP server of an instance is made with. No passwords: what TLS needs comes by IPC. */
export type ServerOptions = Pick<ResolvedOptions, "ssl" | "http2" | LimitName>;

/** The limits of the HTTP server, by the names that Node has for them. */
export const LIMIT_NAMES = [
  "keepAliveTimeout",
  "requestTimeout",
  "headersTimeout",
  "maxRequestsPerSocket",
  "maxHeaderSize",
] as const satisfies readonly OptionName[];

export type LimitName = (typeof LIMIT_NAMES)[number];

/** Some of the options. */
export function pickOptions<N extends OptionName>(
  options: ResolvedOptions,
  names: readonly N[],
): Pick<ResolvedOptions, N> {
  return Object.fromEntries(names.map((name) => [name, options[name]])) as Pick<ResolvedOptions, N>;
}

/** The command-line form of an option's name: `startTimeout` is `--start-timeout`. */
export function flagOf(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** The environment name that every option has: `CHOIR_START_TIMEOUT`. */
export function variableOf(name: string): string {
  return `CHOIR_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
