/** Makes the sinks of --log-file and --error-log-file. Runs in the supervisor, where there is one of them. */
import { readFileSync } from "node:fs";
import type { Clock } from "../../clock.ts";
import { ChoirError, quote } from "../../errors.ts";
import type { ChoirEvent } from "../../events.ts";
import type { ResolvedOptions } from "../../options/table.ts";
import type { Encoding } from "../encode/encoder.ts";
import { codeOf, type Ownership, realDisk } from "../files/disk.ts";
import { Housekeeping } from "../files/housekeeping.ts";
import { LOCAL, UTC } from "../files/rotation.ts";
import { createPretty } from "../format/pretty.ts";
import { FileSink, type FileSinkObserver, type FileSinkOptions } from "./file.ts";

export interface FileSinksOptions extends Pick<
  ResolvedOptions,
  | "logFile"
  | "errorLogFile"
  | "logFileFormat"
  | "logFileMode"
  | "logFileOwner"
  | "logRotateSize"
  | "logRotateEvery"
  | "logRotateUtc"
  | "logKeep"
  | "logKeepAge"
  | "logKeepSize"
  | "logCompress"
> {
  readonly name: string;
  readonly clock: Clock;
  /** Makes a path absolute. */
  readonly resolve: (file: string) => string;
  /** Bytes that may wait in all of them together. */
  readonly limits: FileSinkOptions["limits"];
  readonly observer: FilesObserver;
}

/** Where what happens to files is told. */
export interface FilesObserver {
  /** For the operator, on stderr and in the other logs. */
  readonly say: (event: ChoirEvent) => void;
  /** In the logs. */
  readonly report: (event: ChoirEvent) => void;
}

/** Makes the sinks, which have to be started; throws ERR_CHOIR_OPTION or ERR_CHOIR_LOG_FILE. */
export function createFileSinks(options: FileSinksOptions): FileSink[] {
  const { logFile, errorLogFile, clock } = options;
  const wanted = [
    { pattern: logFile, takes: errorLogFile === undefined ? "all" : "others" },
    { pattern: errorLogFile, takes: "errors" },
  ] as const;
  const patterns = wanted.flatMap(({ pattern }) => (pattern === undefined ? [] : [checked(pattern)]));
  if (new Set(patterns.map(options.resolve)).size < patterns.length) {
    throw new ChoirError(
      "ERR_CHOIR_OPTION",
      `--error-log-file must be another file than --log-file, got ${quote(errorLogFile)} for both`,
    );
  }
  const common = {
    name: options.name,
    encoding: encodingOf(options.logFileFormat),
    rotation: {
      size: options.logRotateSize,
      every: options.logRotateEvery,
      offsetAt: options.logRotateUtc ? UTC : LOCAL,
    },
    ownership: ownershipOf(options),
    disk: realDisk,
    clock,
    limits: { slow: options.limits.slow / patterns.length, failing: options.limits.failing / patterns.length },
    observer: observe(options.observer),
    housekeeping: new Housekeeping({
      keep: { files: options.logKeep, age: options.logKeepAge, totalSize: options.logKeepSize },
      compress: options.logCompress,
      rotateSize: options.logRotateSize,
      disk: realDisk,
      clock,
    }),
  };
  return wanted.flatMap(({ pattern, takes }) =>
    pattern === undefined ? [] : [new FileSink({ ...common, takes, pattern: options.resolve(pattern) })],
  );
}

/** Refuses a percent sign that means nothing: a later version may give it a meaning. */
function checked(pattern: string): string {
  const [, wrong] = /^(?:[^%]|%name|%instance|%%)*(%\w*)/.exec(pattern) ?? [];
  if (wrong !== undefined && !/^(?:[^%]|%name|%instance|%%)*$/.test(pattern)) {
    throw new ChoirError(
      "ERR_CHOIR_OPTION",
      `A log file's name may hold %name, %instance and %% for a percent sign, got ${quote(pattern)}`,
    );
  }
  if (pattern.endsWith("/")) {
    throw new ChoirError("ERR_CHOIR_OPTION", `A log file must be a file, got the folder ${quote(pattern)}: add a name`);
  }
  return pattern;
}

function encodingOf(format: ResolvedOptions["logFileFormat"]): Encoding {
  return format === "pretty" ? createPretty({ colors: false }) : format;
}

function observe({ say, report }: FilesObserver): FileSinkObserver {
  return {
    failed(file, trouble, error) {
      const message = error instanceof Error ? error.message : String(error);
      say({ event: "log-file-failed", file, trouble, error: message, code: codeOf(error) });
    },
    recovered(file, trouble, { lostLines, ms }) {
      say({ event: "log-file-recovered", file, trouble, lostLines, failedMs: Math.round(ms) });
    },
    lost: (sink, lines) => report({ event: "log-lines-lost", sink, lines }),
    abandoned: (sink, lines) => say({ event: "log-lines-lost", sink, lines }),
  };
}

function ownershipOf({ logFileMode: mode, logFileOwner: owner }: FileSinksOptions): Ownership {
  if (owner === undefined) return { mode, uid: undefined, gid: undefined };
  const [user = "", group = ""] = owner.split(":", 2);
  return { mode, uid: idOf(user, "/etc/passwd"), gid: idOf(group, "/etc/group") };
}

/** Looks a name up; undefined for an empty one. */
function idOf(name: string, file: string): number | undefined {
  if (name === "") return undefined;
  if (/^\d+$/.test(name)) return Number(name);
  const line = readFileSync(file, "utf8")
    .split("\n")
    .find((entry) => entry.startsWith(`${name}:`));
  const id = Number(line?.split(":")[2]);
  if (line !== undefined && Number.isInteger(id)) return id;
  throw new ChoirError("ERR_CHOIR_LOG_FILE", `--log-file-owner names ${quote(name)}, which is not in ${file}`, {
    hint: "Write its number: what other directories than that file know is not looked up",
  });
}
