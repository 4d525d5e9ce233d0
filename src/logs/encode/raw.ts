/** Lines as their writer wrote them. Runs in the supervisor; pure. */
import type { OddLine } from "../lines.ts";
import { oddMark } from "../record.ts";
import type { Encoder, EncoderOptions } from "./encoder.ts";
import { Output, type Segment } from "./segment.ts";

/** Passes lines on without a look at them. */
export class RawEncoder implements Encoder {
  time = 0;
  readonly #output: Output;
  readonly #isError: boolean;

  constructor({ origin }: EncoderOptions) {
    this.#output = new Output(origin.instance);
    this.#isError = origin.stream === "stderr";
  }

  lines(bytes: Buffer, start: number, end: number): void {
    this.#output.share(bytes.subarray(start, end), this.#isError);
  }

  odd(line: OddLine): void {
    const { bytes } = line;
    this.#output.line(bytes, [0, bytes.length], Buffer.from(`${oddMark(line)}\n`), this.#isError);
  }

  settle(): boolean {
    return false;
  }

  release(): void {}

  take(): Segment[] {
    return this.#output.take();
  }
}
