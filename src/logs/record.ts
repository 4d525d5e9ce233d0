/**
 * What a sink gets to write: a record of an instance's output or of something that happened in the supervisor.
 * Runs in the supervisor; pure.
 */
import type { ChoirEvent, Description } from "../events.ts";
import { LEVELS, levelNumber } from "./levels.ts";
import type { Line } from "./lines.ts";

export type OutputStream = "stdout" | "stderr";

/** Who wrote a line. The pipe says it, never the line itself. */
export interface Origin {
  readonly name: string;
  readonly instance: number;
  readonly generation: number;
  readonly pid: number;
  readonly stream: OutputStream;
}

interface OfLine extends Origin {
  /** pino's number. */
  readonly level: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly cutBytes: number;
  readonly partial: boolean;
}

/** Plain text: one line, or an error with its stack as several. */
export interface TextRecord extends OfLine {
  readonly kind: "text";
  readonly text: string;
}

/** A line that is a JSON object, as a logger writes it. */
export interface JsonRecord extends OfLine {
  readonly kind: "json";
  /** The line itself. */
  readonly json: string;
  readonly fields: JsonFields;
}

/** Something that happened in the supervisor. */
export interface EventRecord {
  readonly kind: "event";
  readonly level: number;
  readonly time: number;
  readonly name: string;
  readonly event: ChoirEvent;
  readonly description: Description;
}

export type LogRecord = TextRecord | JsonRecord | EventRecord;

/** Renders a record with the line break that ends it. */
export type Formatter = (record: LogRecord) => string;

export type JsonFields = Readonly<Record<string, unknown>>;

/** Parses a line that is a whole JSON object; undefined for every other line. */
export function parseFields(line: Line): JsonFields | undefined {
  // What is left of a line that was cut may look like an object, yet is not what the app wrote.
  if (line.cutBytes > 0 || !line.text.trimStart().startsWith("{")) return undefined;
  try {
    return JSON.parse(line.text) as JsonFields;
  } catch {
    return undefined;
  }
}

/** Makes the record of a JSON line; level and time are the app's where it gives them. */
export function jsonRecord(line: Line, fields: JsonFields, from: Arrival): JsonRecord {
  return {
    kind: "json",
    ...from.origin,
    level: levelNumber(fields["level"]) ?? defaultLevel(from.origin.stream),
    time: timeOf(fields["time"]) ?? from.time,
    json: line.text,
    fields,
    cutBytes: line.cutBytes,
    partial: line.partial,
  };
}

/** Makes the record of text lines: information from stdout, errors from stderr. */
export function textRecord(line: Line, from: Arrival): TextRecord {
  return {
    kind: "text",
    ...from.origin,
    level: defaultLevel(from.origin.stream),
    time: from.time,
    text: line.text,
    cutBytes: line.cutBytes,
    partial: line.partial,
  };
}

/** Where a line came from, and when in milliseconds since the epoch. */
export interface Arrival {
  readonly origin: Origin;
  readonly time: number;
}

/** What a person is told of a line that was cut or not finished; empty for all others. */
export function oddMark({ cutBytes, partial }: Pick<Line, "cutBytes" | "partial">): string {
  const cut = cutBytes > 0 ? ` [${cutBytes} bytes cut]` : "";
  return partial ? `${cut} [line not finished]` : cut;
}

function defaultLevel(stream: OutputStream): number {
  return stream === "stderr" ? LEVELS.error : LEVELS.info;
}

/** The furthest that a Date can be from the epoch: beyond it every part of it is NaN. */
const DATE_RANGE = 8.64e15;

function timeOf(time: unknown): number | undefined {
  const ms = typeof time === "string" ? Date.parse(time) : time;
  return typeof ms === "number" && Math.abs(ms) <= DATE_RANGE ? ms : undefined;
}
