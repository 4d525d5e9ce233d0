/** Makes the app's pino logger. Runs in the instance; the supervisor adds name, instance and generation to its lines. */
import { createRequire } from "node:module";
import type { Logger, pino as Pino } from "pino";

/** Marks a logger whose lines carry their request's id already: `contextFields` adds nothing to them. */
export const CARRIES_REQUEST_ID = Symbol("choir.carriesRequestId");

/** A logger that may be marked so. */
export type MarkedLogger = Logger & { [CARRIES_REQUEST_ID]?: true };

export interface LoggerOptions {
  /** Fields for the line that is being written. */
  readonly contextFields?: (() => object) | undefined;
  /** Default: info. */
  readonly level?: string;
  /** Paths whose values are not written, as pino has them. */
  readonly redact?: readonly string[] | undefined;
}

/**
 * Writes JSON lines to stdout, synchronously: what is written before a crash is there. Fields are pino's; `level` is a number and
 * `time` milliseconds since the epoch.
 */
export function createLogger({ contextFields, level = "info", redact }: LoggerOptions = {}): Logger {
  // pino is CommonJS and is loaded only by apps that log.
  const { pino } = createRequire(import.meta.url)("pino") as { pino: typeof Pino };
  // Without a mixin pino writes a line faster.
  const mixin = contextFields && {
    mixin: (_line: object, _level: number, logger: MarkedLogger) =>
      logger[CARRIES_REQUEST_ID] === true ? {} : contextFields(),
  };
  const hidden = redact && { redact: [...redact] };
  return pino({ base: null, level, ...mixin, ...hidden }, pino.destination({ fd: 1, sync: true }));
}
