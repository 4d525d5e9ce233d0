/**
 * Asks an instance for something and takes its answer in parts, one at a time: the next one is sent when the last has been used, so an
 * answer of any size costs the supervisor one part. Runs in the supervisor; the other side is src/instance/questions.ts.
 */
import type { Clock } from "../clock.ts";
import type { Answer, Question, ToInstance } from "../protocol.ts";

/** Most bytes of one part, as they travel: an instance that sends more is not one of ours. */
const MOST_PART_BYTES = 1024 * 1024;
/** Most questions that may be unanswered at a time. */
const MOST_OPEN = 16;

/** Why there is no answer. */
export class NoAnswer extends Error {}

interface Open {
  readonly take: (answer: Answer) => void;
  readonly fail: (error: NoAnswer) => void;
}

export class Inquiries {
  readonly #send: (message: ToInstance) => void;
  readonly #clock: Clock;
  readonly #open = new Map<number, Open>();
  #lastId = 0;
  #hasEnded = false;

  constructor(send: (message: ToInstance) => void, clock: Clock) {
    this.#send = send;
    this.#clock = clock;
  }

  /** How many questions are unanswered. */
  get open(): number {
    return this.#open.size;
  }

  /**
   * The parts of the answer; throws NoAnswer when the instance ends, refuses, or is silent for `silenceMs`. Who stops reading ends it.
   */
  async *ask(question: Question, silenceMs: number): AsyncGenerator<Buffer, void> {
    if (this.#hasEnded) throw new NoAnswer("the instance has ended");
    if (this.#open.size >= MOST_OPEN) throw new NoAnswer("the instance has not answered what it was asked before");
    this.#lastId += 1;
    const id = this.#lastId;
    let isOver = false;
    try {
      let next = this.#next(id, silenceMs);
      this.#send({ choir: "ask", id, question });
      for (;;) {
        const { part, last, error } = await next;
        isOver = last;
        if (error !== undefined) throw new NoAnswer(error);
        if (part !== undefined) yield Buffer.from(part, "base64");
        if (last) return;
        next = this.#next(id, silenceMs);
        this.#send({ choir: "more", id });
      }
    } finally {
      this.#open.delete(id);
      if (!isOver && !this.#hasEnded) this.#send({ choir: "enough", id });
    }
  }

  /** Takes a part of an answer, from a channel that is the app's too. */
  hear(answer: unknown): void {
    if (!isAnswer(answer)) return;
    const open = this.#open.get(answer.id);
    this.#open.delete(answer.id);
    open?.take(answer);
  }

  /** The instance has ended: nothing that is open will be answered. */
  end(): void {
    this.#hasEnded = true;
    for (const { fail } of this.#open.values()) fail(new NoAnswer("the instance has ended"));
    this.#open.clear();
  }

  #next(id: number, silenceMs: number): Promise<Answer> {
    const promise = new Promise<Answer>((resolve, reject) => {
      const timer = this.#clock.after(silenceMs, () => {
        this.#open.delete(id);
        reject(new NoAnswer(`the instance did not answer within ${silenceMs} ms: its event loop is blocked`));
      });
      const settled =
        <T>(settle: (value: T) => void) =>
        (value: T): void => {
          timer.cancel();
          settle(value);
        };
      this.#open.set(id, { take: settled(resolve), fail: settled(reject) });
    });
    // Whoever reads may have stopped by the time that it fails.
    promise.catch(() => {});
    return promise;
  }
}

/** Collects a whole answer; throws NoAnswer beyond `mostBytes`. */
export async function collect(parts: AsyncIterable<Buffer>, mostBytes: number): Promise<Buffer> {
  const all: Buffer[] = [];
  let bytes = 0;
  for await (const part of parts) {
    bytes += part.length;
    if (bytes > mostBytes) throw new NoAnswer(`the answer is over ${mostBytes} bytes`);
    all.push(part);
  }
  return Buffer.concat(all);
}

function isAnswer(value: unknown): value is Answer {
  if (typeof value !== "object" || value === null) return false;
  const { id, part, last, error } = value as Readonly<Record<string, unknown>>;
  return (
    typeof id === "number" &&
    typeof last === "boolean" &&
    (part === undefined || (typeof part === "string" && part.length <= MOST_PART_BYTES)) &&
    (error === undefined || typeof error === "string")
  );
}
