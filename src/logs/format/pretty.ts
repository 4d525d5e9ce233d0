/** Lines for a person at a terminal. Runs in the supervisor; pure but for the time zone of the process. */
import type { LevelName } from "../../events.ts";
import { levelName } from "../levels.ts";
import { type Formatter, type JsonRecord, type LogRecord, oddMark } from "../record.ts";
import { escapeForTerminal } from "./escape.ts";
import { showFields } from "./fields.ts";

export interface PrettyOptions {
  readonly colors: boolean;
}

const COLORS = { trace: 90, debug: 36, info: 32, warn: 33, error: 31, fatal: 35 } as const satisfies Record<
  LevelName,
  number
>;
const DIM = 2;

/** Makes the formatter for people: `2026-11-22 17:25:44.123 INFO  [example#0] message key=value`, further lines indented. */
export function createPretty({ colors }: PrettyOptions): Formatter {
  const paint = (code: number, text: string): string => (colors ? `\u001B[${code}m${text}\u001B[0m` : text);
  const timestamp = createTimestamp();
  return (record) => {
    const level = levelName(record.level);
    const label = paint(COLORS[level], level.toUpperCase().padEnd(5));
    return `${paint(DIM, timestamp(record.time))} ${label} ${renderBody(record)}\n`;
  };
}

/** Renders what is behind time and level: `[example#0] message key=value`, further lines indented. */
export function renderBody(record: LogRecord): string {
  return `[${source(record)}] ${body(record)}`;
}

function source(record: LogRecord): string {
  const name = escapeForTerminal(record.name);
  return record.kind === "event" ? name : `${name}#${record.instance}`;
}

function body(record: LogRecord): string {
  if (record.kind === "text") return layOut([record.text + oddMark(record)]);
  if (record.kind === "json") return jsonBody(record);
  const { message, detail = "" } = record.description;
  return layOut(detail === "" ? [message] : [message, detail]);
}

function jsonBody(record: JsonRecord): string {
  const { message, pairs, blocks } = showFields(record);
  const first = [message, ...pairs].filter((part) => part !== "").join(" ");
  return layOut([first + oddMark(record), ...blocks]);
}

/** Only a record begins at the left margin, so that nothing an app writes can pass for another record. */
function layOut(parts: readonly string[]): string {
  const text = parts.length === 1 ? (parts[0] ?? "") : parts.join("\n");
  if (!text.includes("\n")) return escapeForTerminal(text);
  return text.split("\n").map(escapeForTerminal).join("\n    ");
}

/** Renders local time; all but the milliseconds is kept for lines of the same second. */
function createTimestamp(): (time: number) => string {
  let second = Number.NaN;
  let text = "";
  return (time) => {
    const current = Math.floor(time / 1000);
    if (current !== second) {
      second = current;
      text = localSecond(new Date(current * 1000));
    }
    return `${text}.${pad(Math.floor(time - current * 1000), 3)}`;
  };
}

function localSecond(date: Date): string {
  const day = `${pad(date.getFullYear(), 4)}-${pad(date.getMonth() + 1, 2)}-${pad(date.getDate(), 2)}`;
  return `${day} ${pad(date.getHours(), 2)}:${pad(date.getMinutes(), 2)}:${pad(date.getSeconds(), 2)}`;
}

function pad(value: number, length: number): string {
  return String(value).padStart(length, "0");
}
