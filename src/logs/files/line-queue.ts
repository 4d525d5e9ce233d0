/** Whole lines that wait to be written. Runs in the supervisor; pure. */
import { wholeLinesWithin } from "./rotation.ts";

const LF = 0x0a;

export class LineQueue {
  #buffers: Buffer[] = [];
  #length = 0;

  /** Bytes that wait. */
  get length(): number {
    return this.#length;
  }

  push(bytes: Buffer): void {
    this.#buffers.push(bytes);
    this.#length += bytes.length;
  }

  /** The first whole lines that are no longer than `room` together; they stay until they are dropped. */
  first(room: number): Buffer[] {
    const parts: Buffer[] = [];
    let left = room;
    for (const bytes of this.#buffers) {
      const fitting = wholeLinesWithin(bytes, left);
      if (fitting === 0) break;
      parts.push(fitting === bytes.length ? bytes : bytes.subarray(0, fitting));
      left -= fitting;
      if (fitting < bytes.length) break;
    }
    return parts;
  }

  /** The first line, however long. */
  firstLine(): Buffer[] {
    const [bytes] = this.#buffers;
    return bytes === undefined ? [] : [bytes.subarray(0, bytes.indexOf(LF) + 1)];
  }

  /** Forgets the first bytes: they are written. */
  drop(bytes: number): void {
    let left = bytes;
    let whole = 0;
    for (const { length } of this.#buffers) {
      if (length > left) break;
      left -= length;
      whole += 1;
    }
    this.#buffers.splice(0, whole);
    const [first] = this.#buffers;
    if (left > 0 && first !== undefined) this.#buffers[0] = first.subarray(left);
    this.#length -= bytes;
  }
}
