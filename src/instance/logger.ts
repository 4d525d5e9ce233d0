/** Makes the app's pino logger. Runs in the instance; the supervisor adds name, instance and generation to its lines. */
import { createRequire } from "node:module";
import type { Logger, pino as Pino } from "pino";

/**
 * Writes JSON lines to stdout, synchronously: what is written before a crash is there. Fields are pino's; `level` is a number and
 * `time` milliseconds since the epoch.
 */
export function createLogger(): Logger {
  // pino is CommonJS and is loaded only by apps that log.
  const { pino } = createRequire(import.meta.url)("pino") as { pino: typeof Pino };
  return pino({ base: null }, pino.destination({ fd: 1, sync: true }));
}
