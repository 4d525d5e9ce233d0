/**
 * One JSON object for each line, as format/json.ts has them. Lines of pino's get their further fields as bytes; all others go by
 * records. Runs in the supervisor; pure.
 */
import { isUtf8 } from "node:buffer";
import { formatJson, originFields } from "../format/json.ts";
import { JsonLineScanner } from "../json-line.ts";
import { LEVELS } from "../levels.ts";
import type { EncoderOptions } from "./encoder.ts";
import { RecordEncoder } from "./records.ts";

const LF = 0x0a;
const CR = 0x0d;
/** A line's length, for the first guess. */
const USUAL_LINE = 128;

/** Renders every line as JSON, and most of them without a record. */
export class JsonEncoder extends RecordEncoder {
  readonly #scanner = new JsonLineScanner();
  readonly #threshold: EncoderOptions["threshold"];
  readonly #counts: EncoderOptions["counts"];
  /** What stands between a line's own fields and its end. */
  readonly #tail: Buffer;
  #lineLength = USUAL_LINE;

  constructor(options: EncoderOptions) {
    const { origin, threshold, counts } = options;
    super(options, (record) => {
      counts.add(record.level);
      return formatJson(record);
    });
    this.#threshold = threshold;
    this.#counts = counts;
    this.#tail = Buffer.from(`${originFields(origin)}}\n`);
  }

  override lines(bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    this.output.expect(Math.ceil(length + (length / this.#lineLength + 8) * this.#tail.length));
    const mayBePassedOn = isUtf8(bytes.subarray(start, end));
    let count = 0;
    for (let at = start; at < end; count += 1) at = this.#line(bytes, at, mayBePassedOn);
    this.#lineLength = length / count;
  }

  /** Takes the line at `at`; where the next one begins. */
  #line(bytes: Buffer, at: number, mayBePassedOn: boolean): number {
    const line = mayBePassedOn ? this.#scanner.scan(bytes, at) : undefined;
    if (line === undefined) {
      const end = bytes.indexOf(LF, at);
      const stop = end > at && bytes[end - 1] === CR ? end - 1 : end;
      this.maker.line({ text: bytes.toString("utf8", at, stop), cutBytes: 0, partial: false });
      return end + 1;
    }
    const { brace, level } = line;
    // Text before it comes out first.
    this.maker.release();
    if (level >= this.#threshold.level) {
      this.#counts.add(level);
      this.output.line(bytes, [at, brace], this.#tail, level >= LEVELS.error);
    }
    return brace + (bytes[brace + 1] === LF ? 2 : 3);
  }
}
