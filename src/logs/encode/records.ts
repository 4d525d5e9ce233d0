/** The long way of a line: to a record, and by a formatter to text. Runs in the supervisor; pure. */
import { ErrorJoiner } from "../errors-in-text.ts";
import { LEVELS } from "../levels.ts";
import { eachLine, type Line, type OddLine } from "../lines.ts";
import { type Formatter, jsonRecord, type LogRecord, parseFields, textRecord } from "../record.ts";
import type { Encoder, EncoderOptions } from "./encoder.ts";
import { Output, type Segment } from "./segment.ts";

/** Makes records of lines: JSON and text told apart, stacks joined to their errors. */
class RecordMaker {
  time = 0;
  readonly #options: EncoderOptions;
  readonly #onRecord: (record: LogRecord) => void;
  readonly #joiner: ErrorJoiner;

  constructor(options: EncoderOptions, onRecord: (record: LogRecord) => void) {
    this.#options = options;
    this.#onRecord = onRecord;
    this.#joiner = new ErrorJoiner((passage) =>
      this.#report(textRecord(passage, { origin: options.origin, time: passage.time })),
    );
  }

  line(line: Line): void {
    const fields = parseFields(line);
    if (fields === undefined) {
      this.#joiner.push(line, this.time);
      return;
    }
    this.#joiner.flush();
    this.#report(jsonRecord(line, fields, { origin: this.#options.origin, time: this.time }));
  }

  odd({ bytes, cutBytes, partial }: OddLine): void {
    this.line({ text: bytes.toString("utf8"), cutBytes, partial });
  }

  settle(): boolean {
    return this.#joiner.settle();
  }

  release(): void {
    this.#joiner.flush();
  }

  #report(record: LogRecord): void {
    if (record.level >= this.#options.threshold.level) this.#onRecord(record);
  }
}

/** Whether a record belongs into a log of errors. */
export function isErrorRecord({ level }: LogRecord): boolean {
  return level >= LEVELS.error;
}

/** Renders every line by a formatter. */
export class RecordEncoder implements Encoder {
  protected readonly maker: RecordMaker;
  protected readonly output: Output;

  constructor(options: EncoderOptions, format: Formatter) {
    this.output = new Output(options.origin.instance);
    this.maker = new RecordMaker(options, (record) => this.output.text(format(record), isErrorRecord(record)));
  }

  set time(time: number) {
    this.maker.time = time;
  }

  lines(bytes: Buffer, start: number, end: number): void {
    eachLine(bytes, [start, end], (from, stop) =>
      this.maker.line({ text: bytes.toString("utf8", from, stop), cutBytes: 0, partial: false }),
    );
  }

  odd(line: OddLine): void {
    this.maker.odd(line);
  }

  settle(): boolean {
    return this.maker.settle();
  }

  release(): void {
    this.maker.release();
  }

  take(): Segment[] {
    return this.output.take();
  }
}
