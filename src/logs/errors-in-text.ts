/**
 * Joins the text lines of one stream that are one error: its message, its stack, what util.inspect shows of it, and Node's print
 * of an uncaught one. Runs in the supervisor; pure: whoever feeds it owns the clock.
 */
import type { Line } from "./lines.ts";

/** Lines that belong together, joined, with the time the first one arrived. */
export interface Passage extends Line {
  readonly time: number;
}

/** What the lines held so far may become; they are one record only when a later line confirms it. */
type Opening =
  /** A plain line: held only until the next one of the same chunk is seen, for an error may have any name. */
  | "plain"
  /** `TypeError: …`: the message may have several lines before the first frame. */
  | "message"
  /** `file:///app.js:3`: source, caret and the error follow. */
  | "location"
  /** An empty line: Node's print of an uncaught error may begin with one. */
  | "blank";

type Phase = Opening | "uncaught" | "stack" | "closed";

const FRAME = /^\s+at |^\(Use `node --trace-/;
const MESSAGE = /(?:Error|Exception|Rejection|Warning)(?: \[\w+\])?(?::|\]|$| \{)/;
const LOCATION = /^(?:file:\/\/|node:|\/|\[eval|\[stdin).*:\d+$/;
const CARET = /^\s*\^+\s*$/;
const INDENTED = /^\s+\S/;
const CLOSING = /^[}\])]+[,;]?$/;
const VERSION = /^Node\.js v\d/;

/** How many lines of a message are held for its first frame; source lines before a caret are fewer. */
const LOOK_BACK = { message: 20, location: 6, plain: 1, blank: 1 } as const satisfies Record<Opening, number>;
/** What one passage may hold, so that a stream without end cannot be one record. */
const PASSAGE_LINES = 1000;
const PASSAGE_CHARACTERS = 256 * 1024;

/** Takes text lines and reports passages, in order, nothing lost and nothing twice. */
export class ErrorJoiner {
  readonly #onPassage: (passage: Passage) => void;
  #held: Line[] = [];
  #characters = 0;
  #time = 0;
  #phase: Phase = "plain";
  /** Whether the passage began with a location, so that `Node.js v…` may end it. */
  #located = false;

  constructor(onPassage: (passage: Passage) => void) {
    this.#onPassage = onPassage;
  }

  /** Takes the next line, which arrived at `time`. */
  push(line: Line, time: number): void {
    const next = this.#held.length === 0 ? undefined : this.#follow(line.text);
    if (next === undefined) {
      this.#restart(line, time);
      return;
    }
    this.#hold(line, next);
    if (this.#full()) this.flush();
  }

  /** Lets go of a line that nothing followed; whether something is still held that looks like the beginning of an error. */
  settle(): boolean {
    if (this.#phase === "plain") this.flush();
    return this.#held.length > 0;
  }

  /** Reports what is held: nothing more belongs to it. */
  flush(): void {
    const held = this.#held;
    if (held.length === 0) return;
    const joined = this.#phase === "stack" || this.#phase === "uncaught" || this.#phase === "closed";
    this.#held = [];
    this.#characters = 0;
    this.#phase = "plain";
    this.#located = false;
    for (const line of joined ? [join(held)] : held) this.#onPassage({ ...line, time: this.#time });
  }

  #restart(line: Line, time: number): void {
    this.flush();
    this.#time = time;
    const phase = FRAME.test(line.text) ? "stack" : openingOf(line.text);
    this.#located = phase === "location";
    this.#hold(line, phase);
  }

  #hold(line: Line, phase: Phase): void {
    this.#held.push(line);
    this.#characters += line.text.length;
    this.#phase = phase;
  }

  #full(): boolean {
    return this.#held.length >= PASSAGE_LINES || this.#characters >= PASSAGE_CHARACTERS;
  }

  /** The phase after a line that belongs to what is held; undefined when it does not. */
  #follow(text: string): Phase | undefined {
    const phase = this.#phase;
    if (phase === "uncaught") {
      if (VERSION.test(text)) return "closed";
      return FRAME.test(text) ? "stack" : "uncaught";
    }
    if (phase === "stack") {
      if (CLOSING.test(text)) return "closed";
      return INDENTED.test(text) || FRAME.test(text) ? "stack" : this.#tail(text);
    }
    return phase === "closed" ? this.#tail(text) : this.#confirm(text, phase);
  }

  #confirm(text: string, opening: Opening): Phase | undefined {
    if (opening === "blank") {
      this.#located = LOCATION.test(text);
      return this.#located ? "location" : undefined;
    }
    if (FRAME.test(text)) return "stack";
    if (opening === "location" && CARET.test(text)) return "uncaught";
    // `[Error: …] {` and `Error: … {` without a stack go on with their properties.
    if (opening === "message" && this.#last().endsWith("{") && INDENTED.test(text)) return "stack";
    if (this.#held.length >= LOOK_BACK[opening]) return undefined;
    return opening === "message" && openingOf(text) !== "plain" && text !== "" ? undefined : opening;
  }

  #tail(text: string): Phase | undefined {
    if (!this.#located || VERSION.test(this.#last())) return undefined;
    return text === "" || VERSION.test(text) ? "closed" : undefined;
  }

  #last(): string {
    return this.#held.at(-1)?.text ?? "";
  }
}

function openingOf(text: string): Opening {
  if (text === "") return "blank";
  if (MESSAGE.test(text)) return "message";
  return LOCATION.test(text) ? "location" : "plain";
}

function join(lines: readonly Line[]): Line {
  const [only] = lines;
  if (lines.length === 1 && only !== undefined) return only;
  return {
    text: lines
      .map((line) => line.text)
      .join("\n")
      .replace(/^\n+/, "")
      .trimEnd(),
    cutBytes: lines.reduce((sum, line) => sum + line.cutBytes, 0),
    partial: lines.at(-1)?.partial ?? false,
  };
}
