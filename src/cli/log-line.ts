/** A line of the log, as the control socket sends it, for a person. Used by `choir logs`; pure. */
import { describeEvent } from "../describe-event.ts";
import type { ChoirEvent } from "../events.ts";
import { LEVELS, levelNumber } from "../logs/levels.ts";
import type { Formatter, LogRecord } from "../logs/record.ts";

/** A line that was read. */
export interface ShownLine {
  /** The slot's number; undefined for the supervisor's own. */
  readonly instance: number | undefined;
  /** pino's number. */
  readonly level: number;
  /** How many lines were left out here, since they were not read in time. */
  readonly lost: number;
  /** As a person reads it, with its line break; empty where it says only that some were lost. */
  readonly text: (format: Formatter) => string;
}

type Fields = Readonly<Record<string, unknown>>;

/** Reads a line; undefined when it is none. */
export function readLogLine(json: string): ShownLine | undefined {
  const fields = parse(json);
  if (fields === undefined) return undefined;
  const { lost, instance, level } = fields;
  if (typeof lost === "number" && Object.keys(fields).length === 1)
    return { instance: undefined, level: LEVELS.warn, lost, text: () => "" };
  return {
    // An event that is about an instance is the supervisor's all the same, yet belongs to it.
    instance: typeof instance === "number" ? instance : undefined,
    level: levelNumber(level) ?? LEVELS.info,
    lost: 0,
    text: (format) => format(recordOf(json, fields)),
  };
}

function recordOf(json: string, { stream, ...fields }: Fields): LogRecord {
  const level = levelNumber(fields["level"]) ?? LEVELS.info;
  const time = typeof fields["time"] === "number" ? fields["time"] : 0;
  const name = String(fields["name"]);
  const number = (value: unknown): number => (typeof value === "number" ? value : 0);
  const line = { level, time, name, cutBytes: number(fields["cutBytes"]), partial: fields["partial"] === true };
  if (stream === "stdout" || stream === "stderr") {
    const { cutBytes: _, partial: __, ...shown } = fields;
    const pid = number(fields["pid"]);
    const generation = number(fields["generation"]);
    return {
      kind: "json",
      ...line,
      stream,
      json,
      fields: shown,
      pid,
      generation,
      instance: number(fields["instance"]),
    };
  }
  const event = fields as unknown as ChoirEvent;
  return { kind: "event", level, time, name, event, description: describe(event, fields["msg"]) };
}

/** An event of a newer version may not be known here; then its own sentence has to do. */
function describe(event: ChoirEvent, message: unknown): ReturnType<typeof describeEvent> {
  try {
    return describeEvent(event);
  } catch {
    return { level: "info", message: String(message) };
  }
}

function parse(json: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
