/** The rows of the options' table that are about logs. Used where table.ts is. */
import type { Option } from "./table.ts";

const FORMAT_MORE =
  "`pretty` is for people, `json` one object a line, `journal` for systemd's journal (a priority before each line), and `raw` passes on " +
  "what the app writes, with the supervisor's own lines as JSON. `auto` is pretty on a terminal, journal where `$JOURNAL_STREAM` says that " +
  "the journal reads, and json elsewhere.";

export const LOG_ROWS = {
  logFormat: {
    kind: "string",
    choices: ["auto", "pretty", "json", "journal", "raw"],
    group: "logs",
    placeholder: "form",
    default: "auto",
    help: "Form of the console's lines: pretty, json, journal, raw; auto is pretty on a terminal and json elsewhere",
    more: FORMAT_MORE,
  },
  logLevel: {
    kind: "string",
    choices: ["trace", "debug", "info", "warn", "error", "fatal"],
    group: "logs",
    placeholder: "level",
    default: "info",
    help: "Leave out lines below this level: trace, debug, info, warn, error or fatal",
    more:
      "The app's logger does not write them, and of what else it prints the supervisor leaves them out: JSON lines by their `level`, " +
      "plain text as info from stdout and error from stderr. Raw output is passed on as it is.",
  },
  /** `%name` is the Runner's name, `%instance` the slot's number, `%%` a percent sign. */
  logFile: {
    kind: "string",
    group: "logs",
    placeholder: "path",
    default: undefined,
    help: "Write all lines into this file too; %name and %instance in it are replaced",
    more: "With `%instance` each instance has a file of its own, and the supervisor's lines go to the one named `supervisor`. See [logs.md](logs.md).",
  },
  errorLogFile: {
    kind: "string",
    group: "logs",
    placeholder: "path",
    default: undefined,
    help: "Write lines of level error and above into this file instead of --log-file",
    more: "In raw form these are the lines from stderr.",
  },
  logFileFormat: {
    kind: "string",
    choices: ["json", "pretty", "raw"],
    group: "logs",
    placeholder: "form",
    default: "json",
    help: "Form of the lines in files: json, pretty or raw",
  },
  logFileMode: {
    kind: "mode",
    group: "logs",
    placeholder: "mode",
    default: 0o640,
    defaultText: "0640",
    help: "File mode of new log files",
  },
  /** Names are looked up in /etc/passwd and /etc/group. */
  logFileOwner: {
    kind: "string",
    group: "logs",
    placeholder: "user:group",
    default: undefined,
    help: "Owner of log files: user, user:group or :group, by name or number",
  },
  logRotateSize: {
    kind: "size",
    group: "logs",
    min: 1000,
    placeholder: "size",
    default: undefined,
    help: "Begin a new log file before one is larger than this",
  },
  logRotateEvery: {
    kind: "duration",
    group: "logs",
    min: 1000,
    max: 366 * 86_400_000,
    placeholder: "time",
    default: undefined,
    help: "Begin a new log file at every full hour (1h), at midnight (1d), on Mondays (7d) and so on",
    more: "By the wall clock of the time zone that `TZ` names, across daylight saving too; with `--log-rotate-utc` by UTC.",
  },
  logRotateUtc: {
    kind: "boolean",
    group: "logs",
    default: false,
    help: "Reckon --log-rotate-every in UTC",
  },
  logKeep: {
    kind: "integer",
    group: "logs",
    placeholder: "n",
    default: undefined,
    help: "How many rotated log files are kept; all by default",
    more: "This and the two that follow hold for each log file and those rotated from it. Without any of them nothing is ever deleted.",
  },
  logKeepAge: {
    kind: "duration",
    group: "logs",
    min: 1000,
    placeholder: "time",
    default: undefined,
    help: "Delete log files that were rotated longer ago than this",
  },
  logKeepSize: {
    kind: "size",
    group: "logs",
    min: 1000,
    placeholder: "size",
    default: undefined,
    help: "Delete the oldest log files so that all together are no larger than this",
  },
  logCompress: {
    kind: "boolean",
    group: "logs",
    default: false,
    help: "Compress rotated log files with gzip",
  },
  logOverflow: {
    kind: "string",
    choices: ["block", "drop"],
    group: "logs",
    placeholder: "block|drop",
    default: "block",
    help: "When logs cannot be written as fast as they come: block makes the app wait, drop leaves out whole lines and counts them",
    more: "A disk that is full or gone never makes the app wait: then lines are dropped and counted under both.",
  },
  logLineLimit: {
    kind: "size",
    group: "logs",
    min: 256,
    max: 16 * 1024 * 1024,
    placeholder: "size",
    default: 64 * 1024,
    help: "How long a log line may be; what is beyond is cut, counted and marked",
  },
  accessLog: {
    kind: "string",
    choices: ["common", "combined", "json"],
    group: "logs",
    placeholder: "form",
    default: undefined,
    help: "Log every request: common, combined or json",
    more:
      "With latency in milliseconds, bytes of the body, instance, request id and protocol. Queries are left out, in the referer too. The " +
      "client is the one that Fastify's `trustProxy` finds, else the other end of the connection.",
  },
  accessLogQuery: {
    kind: "boolean",
    group: "logs",
    default: false,
    help: "Log the queries of requests too, which may hold secrets",
  },
  /** As pino's `redact`: `req.headers.authorization`, `*.password`, `users[*].email`. */
  logRedact: {
    kind: "list",
    group: "logs",
    placeholder: "path",
    default: undefined,
    help: "Path in the app's log objects whose value is not written, such as user.password; may be given several times",
    more: 'As pino has them: `*.password`, `users[*].email`, `req.headers["x-key"]`. Lines of other loggers and texts are not looked into.',
  },
} as const satisfies Record<string, Option>;
