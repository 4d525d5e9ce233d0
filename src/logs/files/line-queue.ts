/** Whole lines that wait to be written. Runs in the supervisor; pure. */
import { countLines, free } from "../encode/segment.ts";
import { wholeLinesWithin } from "./rotation.ts";

const LF = 0x0a;

interface Entry {
  /** What is left of it. */
  readonly bytes: Buffer;
  readonly isOwn: boolean;
}

export class LineQueue {
  #entries: Entry[] = [];
  #length = 0;

  /** Bytes that wait. */
  get length(): number {
    return this.#length;
  }

  countLines(): number {
    return this.#entries.reduce((sum, { bytes }) => sum + countLines(bytes), 0);
  }

  /** Adds lines; with `isOwn` their memory is freed when they are dropped. */
  push(bytes: Buffer, isOwn: boolean): void {
    this.#entries.push({ bytes, isOwn });
    this.#length += bytes.length;
  }

  /** The first whole lines that are no longer than `room` together; they stay until they are dropped. */
  first(room: number): Buffer[] {
    const parts: Buffer[] = [];
    let left = room;
    for (const { bytes } of this.#entries) {
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
    const [entry] = this.#entries;
    return entry === undefined ? [] : [entry.bytes.subarray(0, entry.bytes.indexOf(LF) + 1)];
  }

  /** Forgets the first bytes: they are written. */
  drop(bytes: number): void {
    let left = bytes;
    let whole = 0;
    for (const entry of this.#entries) {
      const { length } = entry.bytes;
      if (length > left) break;
      left -= length;
      whole += 1;
      if (entry.isOwn) free(entry.bytes);
    }
    this.#entries.splice(0, whole);
    const [first] = this.#entries;
    if (left > 0 && first !== undefined) this.#entries[0] = { ...first, bytes: first.bytes.subarray(left) };
    this.#length -= bytes;
  }
}
