/** A pino logger that keeps its lines for a test to look at. Runs in tests of users' apps. */
import pino, { type Logger } from "pino";
import type { InstanceInfo } from "../protocol.ts";

/** A line as the supervisor prints it in JSON. */
export interface LogLine {
  /** pino's number: 30 is info, 50 is error. */
  readonly level: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

/** Makes the logger; its lines carry the fields that the supervisor would add. */
export function createCollectingLogger(
  { name, id, generation }: InstanceInfo,
  copyTo?: { write(line: string): unknown },
): { logger: Logger; lines: readonly LogLine[] } {
  const lines: LogLine[] = [];
  const destination = {
    write(line: string): void {
      // pino writes JSON objects with these fields, one a call.
      lines.push(JSON.parse(line) as LogLine);
      copyTo?.write(line);
    },
  };
  return { logger: pino({ base: { name, instance: id, generation } }, destination), lines };
}
