/**
 * One JSON object for each line, as format/json.ts has them. Lines of pino's get their further fields as bytes; all others go by
 * records. Runs in the supervisor; pure.
 */
import { isUtf8 } from "node:buffer";
import { formatJson, originFields } from "../format/json.ts";
import { JsonLineScanner } from "../json-line.ts";
import { LEVELS } from "../levels.ts";
import type { OddLine } from "../lines.ts";
import type { Encoder, EncoderOptions } from "./encoder.ts";
import { isErrorRecord, RecordMaker } from "./records.ts";
import { Output, type Segment } from "./segment.ts";

const LF = 0x0a;
const CR = 0x0d;
/** A line's length, for the first guess. */
const USUAL_LINE = 128;

/** Renders every line as JSON. */
export class JsonEncoder implements Encoder {
  readonly #maker: RecordMaker;
  readonly #scanner = new JsonLineScanner();
  readonly #output: Output;
  readonly #threshold: EncoderOptions["threshold"];
  readonly #counts: EncoderOptions["counts"];
  /** What stands between a line's own fields and its end. */
  readonly #tail: Buffer;
  #lineLength = USUAL_LINE;

  constructor(options: EncoderOptions) {
    const { origin, threshold, counts } = options;
    this.#threshold = threshold;
    this.#counts = counts;
    this.#output = new Output(origin.instance);
    this.#tail = Buffer.from(`${originFields(origin)}}\n`);
    this.#maker = new RecordMaker(options, (record) => {
      counts.add(record.level);
      this.#output.text(formatJson(record), isErrorRecord(record));
    });
  }

  set time(time: number) {
    this.#maker.time = time;
  }

  lines(bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    this.#output.expect(Math.ceil(length + (length / this.#lineLength + 8) * this.#tail.length));
    const mayBePassedOn = isUtf8(bytes.subarray(start, end));
    let count = 0;
    for (let at = start; at < end; count += 1) at = this.#line(bytes, at, mayBePassedOn);
    this.#lineLength = length / count;
  }

  odd(line: OddLine): void {
    this.#maker.odd(line);
  }

  settle(): boolean {
    return this.#maker.settle();
  }

  release(): void {
    this.#maker.release();
  }

  take(): Segment[] {
    return this.#output.take();
  }

  /** Takes the line at `at`; where the next one begins. */
  #line(bytes: Buffer, at: number, mayBePassedOn: boolean): number {
    const line = mayBePassedOn ? this.#scanner.scan(bytes, at) : undefined;
    if (line === undefined) {
      const end = bytes.indexOf(LF, at);
      const stop = end > at && bytes[end - 1] === CR ? end - 1 : end;
      this.#maker.line({ text: bytes.toString("utf8", at, stop), cutBytes: 0, partial: false });
      return end + 1;
    }
    const { brace, level } = line;
    // Text before it comes out first.
    this.#maker.release();
    if (level >= this.#threshold.level) {
      this.#counts.add(level);
      this.#output.line(bytes, [at, brace], this.#tail, level >= LEVELS.error);
    }
    return brace + (bytes[brace + 1] === LF ? 2 : 3);
  }
}
