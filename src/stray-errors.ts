/**
 * The supervisor runs the top level of the user's entry file, as Node cannot know where it ends. What that code throws later must
 * not end the service: it is said once, with advice. Runs in the supervisor, from the first moment of `run()`.
 */
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import { describeThrown } from "./errors.ts";

/** An error that nobody caught, in the supervisor. */
export interface StrayError {
  readonly error: string;
  readonly stack: string;
}

export interface StrayErrorListener {
  /** Code of the user's threw it; called once for each message. */
  stray(error: StrayError): void;
  /** Choir's own code threw it. */
  own(thrown: unknown): void;
}

/** How many different messages are said at most. */
const MOST = 100;

/** Catches from its construction on, and keeps what it caught until somebody listens. */
export class StrayErrors {
  readonly #said = new Set<string>();
  #caught: unknown[] = [];
  #listener: StrayErrorListener | undefined;

  constructor() {
    process.on("uncaughtException", (thrown: unknown) => {
      if (this.#listener === undefined) this.#caught.push(thrown);
      else this.#report(this.#listener, thrown);
    });
  }

  listen(listener: StrayErrorListener): void {
    this.#listener = listener;
    const caught = this.#caught;
    this.#caught = [];
    for (const thrown of caught) this.#report(listener, thrown);
  }

  #report(listener: StrayErrorListener, thrown: unknown): void {
    if (isOwn(thrown)) {
      listener.own(thrown);
      return;
    }
    const error = describeThrown(thrown);
    if (this.#said.has(error) || this.#said.size >= MOST) return;
    this.#said.add(error);
    listener.stray({ error, stack: inspect(thrown) });
  }
}

const OWN_FILES = fileURLToPath(new URL(".", import.meta.url));

/** Whether Choir's folder is where it comes from: the first frame that is not Node's, unless user code called us wrongly. */
function isOwn(thrown: unknown): boolean {
  if (!(thrown instanceof Error) || thrown.stack === undefined || thrown.name === "ChoirError") return false;
  const frames = thrown.stack.split("\n").filter((line) => /^\s+at /.test(line) && !/\(?node:/.test(line));
  return frames[0]?.includes(OWN_FILES) ?? false;
}
