/**
 * The terminal's second screen, for a view that is drawn again and again: what was on the terminal is there again when it is left, however
 * the command ends. Used by `choir top`.
 */
const ENTER = "\u001B[?1049h\u001B[?25l";
const LEAVE = "\u001B[?25h\u001B[?1049l";
const HOME = "\u001B[H";
const CLEAR_LINE = "\u001B[K";
const CLEAR_BELOW = "\u001B[J";
const CTRL_C = "\u0003";

export interface ScreenOptions {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
  /** Called for each key; Ctrl-C and q as well. */
  readonly onKey: (key: string) => void;
  /** Called when the terminal has another size. */
  readonly onResize: () => void;
}

export class Screen {
  readonly #options: ScreenOptions;
  #isOpen = false;
  readonly #leave = (): void => this.leave();
  readonly #onData = (data: Buffer): void => this.#options.onKey(data.toString("latin1"));

  constructor(options: ScreenOptions) {
    this.#options = options;
  }

  get size(): { columns: number; rows: number } {
    const { columns, rows } = this.#options.output;
    // Some terminals do not say.
    return { columns: columns || 80, rows: rows || 24 };
  }

  enter(): void {
    const { input, output, onResize } = this.#options;
    this.#isOpen = true;
    // An error that nobody catches ends the process with this event, too.
    process.once("exit", this.#leave);
    output.write(ENTER);
    output.on("resize", onResize);
    if (!input.isTTY) return;
    input.setRawMode(true);
    input.on("data", this.#onData);
    input.resume();
  }

  /** Draws lines over those of before, each cut to the terminal's width. */
  draw(lines: readonly string[]): void {
    const { columns, rows } = this.size;
    const shown = lines.slice(0, rows).map((line) => `${line.slice(0, columns)}${CLEAR_LINE}`);
    // No line break at the end: it would scroll the first line away.
    this.#options.output.write(`${HOME}${shown.join("\r\n")}${CLEAR_BELOW}`);
  }

  leave(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const { input, output, onResize } = this.#options;
    process.off("exit", this.#leave);
    output.off("resize", onResize);
    output.write(LEAVE);
    if (!input.isTTY) return;
    input.off("data", this.#onData);
    input.setRawMode(false);
    input.pause();
  }
}

/** Whether a key is one that ends a view. */
export function isQuit(key: string): boolean {
  return key === "q" || key === "Q" || key === CTRL_C;
}
