/** Puts the logs together as the options have them: the console, log files, or none. Runs in the supervisor. */
import { fstatSync } from "node:fs";
import path from "node:path";
import { systemClock } from "../clock.ts";
import { describeEvent } from "../describe-event.ts";
import { ChoirError, quote } from "../errors.ts";
import type { ChoirEvent } from "../events.ts";
import { escapeForTerminal } from "../logs/format/escape.ts";
import { chooseEncoding, isJournalStream, wantsColors } from "../logs/format/formatter.ts";
import { LEVELS } from "../logs/levels.ts";
import { LogRouter } from "../logs/router.ts";
import { ConsoleSink } from "../logs/sinks/console.ts";
import type { FileSink } from "../logs/sinks/file.ts";
import type { Sink } from "../logs/sinks/sink.ts";
import { processEnvironment } from "../options/environment.ts";
import type { ResolvedOptions } from "../options/table.ts";

/**
 * Bytes that may wait in all sinks together, and those that files keep while they cannot be written. With what the garbage collector
 * lets pile up at the rate of a flood, the supervisor grows by less than 64 MB.
 */
const WAITING_BYTES = 8 * 1024 * 1024;
const KEPT_BYTES = 12 * 1024 * 1024;

/** Opens the logs. A file that cannot be written is an error now, and only now. */
export async function openLogs(name: string, options: ResolvedOptions): Promise<LogRouter> {
  if (options.logRedact !== undefined) await checkRedaction(options.logRedact);
  const sinks: Sink[] = [];
  let logs: LogRouter | undefined;
  const report = (event: ChoirEvent): void => logs?.event(event);
  const files = await openFiles(name, options, report);
  sinks.push(...files);
  if (!options.quiet) sinks.push(openConsole(options, files.length === 0 ? WAITING_BYTES : WAITING_BYTES / 2, report));
  logs = new LogRouter({
    name,
    sinks,
    clock: systemClock,
    overflow: options.logOverflow,
    lineLimit: options.logLineLimit,
    level: LEVELS[options.logLevel],
  });
  return logs;
}

function openConsole(options: ResolvedOptions, waitingBytes: number, report: (event: ChoirEvent) => void): Sink {
  const { stdout } = process;
  const env = processEnvironment();
  const isTTY = stdout.isTTY ?? false;
  return new ConsoleSink({
    stream: stdout,
    encoding: chooseEncoding({
      format: options.logFormat,
      isTTY,
      isJournal: isJournalStream(stdoutFacts(), env),
      colors: wantsColors(isTTY, env),
    }),
    clock: systemClock,
    limit: options.logOverflow === "block" ? Infinity : waitingBytes,
    onLost: (lines) => report({ event: "log-lines-lost", sink: "console", lines }),
  });
}

function stdoutFacts(): { dev: number; ino: number } {
  try {
    return fstatSync(1);
  } catch {
    // Closed by whoever started the program.
    return { dev: -1, ino: -1 };
  }
}

async function openFiles(
  name: string,
  options: ResolvedOptions,
  report: (event: ChoirEvent) => void,
): Promise<readonly FileSink[]> {
  const { logFile, errorLogFile } = options;
  if (logFile === undefined && errorLogFile === undefined) return [];
  // Loaded by those that write files: it costs the others no memory.
  const { createFileSinks } = await import("../logs/sinks/files.ts");
  const say = (event: ChoirEvent): void => {
    const { message } = describeEvent(event);
    // Where nothing else may work any more; also under --quiet.
    process.stderr.write(`${name}: ${escapeForTerminal(message)}\n`);
    report(event);
  };
  const sinks = createFileSinks({
    ...options,
    name,
    clock: systemClock,
    resolve: (file) => path.resolve(file),
    // Where instances wait for a slow disk, no line is to be left out for it.
    limits: { slow: options.logOverflow === "block" ? Infinity : WAITING_BYTES / 2, failing: KEPT_BYTES },
    observer: { say, report },
  });
  for (const sink of sinks) await start(sink);
  return sinks;
}

async function start(sink: FileSink): Promise<void> {
  await sink.start().catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ChoirError("ERR_CHOIR_LOG_FILE", `The log file ${sink.pattern} cannot be written: ${reason}`, {
      cause: error,
      hint: "It has to be a regular file in a folder that this user may write to",
    });
  });
}

/** By pino itself, which the instances hand the paths to: a wrong one would fail each of them when it first logs. */
async function checkRedaction(paths: readonly string[]): Promise<void> {
  const { pino } = await import("pino");
  for (const path of paths) {
    try {
      pino({ redact: [path] }, { write: () => {} });
    } catch (error) {
      throw new ChoirError(
        "ERR_CHOIR_OPTION",
        `--log-redact must be a path such as user.password, *.password or users[*].email, got ${quote(path)}`,
        { cause: error },
      );
    }
  }
}
