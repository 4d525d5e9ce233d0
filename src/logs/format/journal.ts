/**
 * Lines for systemd's journal: no time, which it has itself, and a priority before each (sd-daemon(3)), by which it filters. Runs in the
 * supervisor; pure.
 */
import type { LevelName } from "../../events.ts";
import { levelName } from "../levels.ts";
import type { LogRecord } from "../record.ts";
import { renderBody } from "./pretty.ts";

/** syslog's numbers. */
const PRIORITIES = { trace: 7, debug: 7, info: 6, warn: 4, error: 3, fatal: 2 } as const satisfies Record<
  LevelName,
  number
>;

/** Renders a record for the journal: `<6>[example#0] message key=value`, and every further line with the priority too. */
export function formatJournal(record: LogRecord): string {
  const priority = `<${PRIORITIES[levelName(record.level)]}>`;
  return `${renderBody(record)
    .split("\n")
    .map((line) => priority + line)
    .join("\n")}\n`;
}
