/** What the supervisor itself wants to know of an instance's stderr. Runs in the supervisor; pure. */
import { eachLine } from "./lines.ts";

/** How many lines of stderr are remembered, and how many bytes of each. */
const LAST_WORDS = { lines: 20, bytes: 1000 } as const;

const LF = 0x0a;
const CR = 0x0d;
const FATAL = Buffer.from("FATAL ERROR: ");

/** Remembers the last lines, and what V8 said when it ended the process. */
export class StderrWatch {
  /** Sees each further line; those for which it returns true are kept out of the log. */
  interceptor: ((line: string) => boolean) | undefined;
  #lastWords: string[] = [];
  #fatalError: string | undefined;

  /** The last lines, oldest first. */
  get lastWords(): string[] {
    return [...this.#lastWords];
  }

  /** Without its stack of machine code, which is longer than the last lines. */
  get fatalError(): string | undefined {
    return this.#fatalError;
  }

  /** Looks at whole lines, and calls `keep` with the borders of those that the log gets. */
  lines(bytes: Buffer, [start, end]: readonly [number, number], keep: (start: number, end: number) => void): void {
    const { interceptor } = this;
    if (interceptor === undefined) {
      this.#remember(bytes, start, end);
      keep(start, end);
      return;
    }
    eachLine(bytes, [start, end], (from, stop, next) => {
      if (interceptor(bytes.toString("utf8", from, stop))) return;
      this.#remember(bytes, from, next);
      keep(from, next);
    });
  }

  /** Looks at a line that was cut or not finished; false keeps it out of the log. */
  line(bytes: Buffer): boolean {
    if (this.interceptor?.(bytes.toString("utf8")) === true) return false;
    this.#remember(bytes, 0, bytes.length);
    return true;
  }

  /** Only the last lines of many become strings. */
  #remember(bytes: Buffer, start: number, end: number): void {
    this.#findFatal(bytes, start, end);
    const words: string[] = [];
    for (let stop = end; stop > start && words.length < LAST_WORDS.lines;) {
      const last = bytes[stop - 1] === LF ? stop - 1 : stop;
      const before = last > start ? bytes.lastIndexOf(LF, last - 1) : -1;
      const from = Math.max(before + 1, start);
      words.push(textOf(bytes, from, last));
      stop = from;
    }
    this.#lastWords = [...this.#lastWords, ...words.toReversed()].slice(-LAST_WORDS.lines);
  }

  #findFatal(bytes: Buffer, start: number, end: number): void {
    const found = bytes.subarray(start, end).indexOf(FATAL);
    if (found === -1 || (found > 0 && bytes[start + found - 1] !== LF)) return;
    const at = start + found;
    const stop = bytes.indexOf(LF, at);
    this.#fatalError = textOf(bytes, at, stop === -1 || stop > end ? end : stop);
  }
}

function textOf(bytes: Buffer, start: number, stop: number): string {
  const end = stop > start && bytes[stop - 1] === CR ? stop - 1 : stop;
  return bytes.toString("utf8", start, Math.min(end, start + LAST_WORDS.bytes));
}
