/**
 * From the lines of one pipe to the bytes of one kind of sink. Runs in the supervisor; pure: whoever feeds an encoder owns the clock.
 * Sinks with the same encoding share what it makes.
 */
import type { LogCounts } from "../counts.ts";
import type { LineTaker } from "../lines.ts";
import type { Formatter, Origin } from "../record.ts";
import { JsonEncoder } from "./json.ts";
import { RawEncoder } from "./raw.ts";
import { RecordEncoder } from "./records.ts";
import type { Segment } from "./segment.ts";

/** What a sink wants: lines as they came, JSON objects, or what a formatter makes of records. */
export type Encoding = "raw" | "json" | Formatter;

export interface Encoder extends LineTaker {
  /** When the lines that follow arrived, in milliseconds since the epoch. */
  time: number;
  /** A chunk is over; whether something is held back that may be the beginning of an error with its stack. */
  settle(): boolean;
  /** Lets go of what is held back. */
  release(): void;
  /** Gives what is ready. */
  take(): Segment[];
}

/** Lines of a lower level are left out, but for raw ones. It may change while they come. */
export interface Threshold {
  /** pino's number. */
  level: number;
}

export interface EncoderOptions {
  readonly origin: Origin;
  readonly threshold: Readonly<Threshold>;
  /** Told of each line by the JSON encoder: every pipe has one, for who looks at the log from outside. */
  readonly counts: Pick<LogCounts, "add">;
}

/** Makes the encoder of one pipe for one encoding. */
export function createEncoder(encoding: Encoding, options: EncoderOptions): Encoder {
  if (encoding === "raw") return new RawEncoder(options);
  return encoding === "json" ? new JsonEncoder(options) : new RecordEncoder(options, encoding);
}
