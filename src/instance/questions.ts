/**
 * Answers what the supervisor asks, in parts: the next one is made when the last has been used. Runs in the instance; the other side is
 * src/supervisor/inquiries.ts.
 */
import { describeThrown } from "../errors.ts";
import { type Answer, isControlMessage, type Question, type ToInstance } from "../protocol.ts";

/** Makes the answer to a question. */
export type Answerer = (question: Question) => AsyncIterable<Buffer> | Promise<AsyncIterable<Buffer>>;

/** Most bytes of a part: as base64 in JSON it is read in less than a millisecond on the other side. */
const PART_BYTES = 256 * 1024;

export interface QuestionsSetup {
  readonly answer: Answerer;
  readonly send: (answer: Answer) => void;
  /** Calls the listener for each message of the supervisor's. */
  readonly listen: (listener: (message: unknown) => void) => void;
}

/** Answers from now on. */
export function answerQuestions({ answer, send, listen }: QuestionsSetup): void {
  /** What is being answered: called to send the next part, or with true to give up. */
  const open = new Map<number, (enough: boolean) => void>();
  const begin = async (id: number, question: Question): Promise<void> => {
    try {
      for await (const part of inParts(await answer(question))) {
        const next = new Promise<boolean>((resolve) => {
          open.set(id, resolve);
        });
        send({ choir: "answer", id, part: part.toString("base64"), last: false });
        if (await next) return;
      }
      send({ choir: "answer", id, last: true });
    } catch (error) {
      send({ choir: "answer", id, last: true, error: describeThrown(error) });
    } finally {
      open.delete(id);
    }
  };
  listen((message) => {
    if (!isControlMessage(message)) return;
    const control = message as ToInstance;
    if (control.choir === "ask") void begin(control.id, control.question);
    else if (control.choir === "more") open.get(control.id)?.(false);
    else if (control.choir === "enough") open.get(control.id)?.(true);
  });
}

/** What this instance can answer; each answer's code is loaded when it is asked for. */
export async function answerTo(question: Question): Promise<AsyncIterable<Buffer>> {
  switch (question.about) {
    case "app-metrics":
      return (await import("./app-metrics.ts")).appMetrics();
    case "cpu-profile":
      return (await import("./profile.ts")).cpuProfile(question.ms);
    case "heap-snapshot":
      return (await import("./profile.ts")).heapSnapshot();
  }
  throw new TypeError(`This instance does not know what ${JSON.stringify(question)} asks for`);
}

async function* inParts(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += PART_BYTES) yield chunk.subarray(at, at + PART_BYTES);
  }
}
