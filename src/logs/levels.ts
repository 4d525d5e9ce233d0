/** pino's levels: numbers in JSON lines, names for people. A leaf, used in the supervisor. */
import type { LevelName } from "../events.ts";

/** The number of each level, as pino writes it. */
export const LEVELS = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 } as const satisfies Record<
  LevelName,
  number
>;

/** Names a level; a number between two takes the lower one's name. */
export function levelName(level: number): LevelName {
  if (level < LEVELS.debug) return "trace";
  if (level < LEVELS.info) return "debug";
  if (level < LEVELS.warn) return "info";
  if (level < LEVELS.error) return "warn";
  return level < LEVELS.fatal ? "error" : "fatal";
}

/** Understands what loggers write as level: a number, or a name in any case; undefined for anything else. */
export function levelNumber(level: unknown): number | undefined {
  if (typeof level === "number") return level;
  if (typeof level !== "string") return undefined;
  const name = level.toLowerCase();
  if (name === "warning") return LEVELS.warn;
  return Object.entries(LEVELS).find(([known]) => known === name)?.[1];
}
