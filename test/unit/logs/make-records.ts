/** Records as the router makes them, for the tests of formats and sinks. */
import { describeEvent } from "../../../src/describe-event.ts";
import type { ChoirEvent } from "../../../src/events.ts";
import { LEVELS } from "../../../src/logs/levels.ts";
import type { Line } from "../../../src/logs/lines.ts";
import { type EventRecord, jsonRecord, type LogRecord, parseFields, textRecord } from "../../../src/logs/record.ts";

const ORIGIN = { name: "example", instance: 0, generation: 1, pid: 7, stream: "stdout" } as const;

export function ofLine(text: string, marks: Partial<Line> = {}, time = 1000): LogRecord {
  const line = { text, cutBytes: 0, partial: false, ...marks };
  const fields = parseFields(line);
  const from = { origin: ORIGIN, time };
  return fields === undefined ? textRecord(line, from) : jsonRecord(line, fields, from);
}

export function ofEvent(event: ChoirEvent, time = 1000): EventRecord {
  const description = describeEvent(event);
  return { kind: "event", level: LEVELS[description.level], time, name: "example", event, description };
}
