/** One JSON object for each record, as pino writes them. Runs in the supervisor; pure. */
import type { EventRecord, JsonRecord, LogRecord, Origin, TextRecord } from "../record.ts";
import { escapeInJson } from "./escape.ts";

/** Renders a record as one line of JSON, with its line break. */
export function formatJson(record: LogRecord): string {
  return `${escapeInJson(render(record))}\n`;
}

function render(record: LogRecord): string {
  if (record.kind === "text") return renderText(record);
  return record.kind === "json" ? renderJson(record) : renderEvent(record);
}

function renderText(record: TextRecord): string {
  const head = `{"level":${record.level},"time":${record.time},"pid":${record.pid},"stream":"${record.stream}"`;
  return `${head},"msg":${JSON.stringify(record.text)}${marks(record)}${nameFields(record)}}`;
}

/**
 * Puts our fields behind those of the line's own text, which stays as it was: numbers that JavaScript cannot hold survive, and
 * since readers take the last of two equal names, a line cannot say that it is another instance's; nor that it is an event of the
 * supervisor's, which has no `stream`.
 */
function renderJson(record: JsonRecord): string {
  const open = record.json.slice(0, record.json.lastIndexOf("}"));
  let ours = `,"stream":"${record.stream}"${marks(record)}${nameFields(record)}}`;
  if (!Object.hasOwn(record.fields, "time")) ours = `,"time":${record.time}${ours}`;
  if (!Object.hasOwn(record.fields, "level")) ours = `,"level":${record.level}${ours}`;
  return isEmpty(record.fields) ? open + ours.slice(1) : open + ours;
}

function renderEvent({ level, time, name, event, description }: EventRecord): string {
  return JSON.stringify({ level, time, ...event, msg: description.message, name });
}

/** What stands between a JSON line of an app's and its last brace; encode/json.ts puts it behind lines that nobody parses. */
export function originFields(origin: Origin): string {
  return `,"stream":"${origin.stream}"${nameFields(origin)}`;
}

function nameFields({ name, instance, generation }: Origin): string {
  return `,"name":${JSON.stringify(name)},"instance":${instance},"generation":${generation}`;
}

function marks(record: TextRecord | JsonRecord): string {
  const cut = record.cutBytes > 0 ? `,"cutBytes":${record.cutBytes}` : "";
  return record.partial ? `${cut},"partial":true` : cut;
}

function isEmpty(fields: object): boolean {
  for (const _name in fields) return false;
  return true;
}
