/** Looks into an instance that serves: where its CPU time goes, what is in its heap. Runs in the supervisor, which only passes it on. */
import { ChoirError } from "../errors.ts";
import type { Question } from "../protocol.ts";
import type { Instance } from "./instance.ts";

/** How long an instance may say nothing, in milliseconds: a heap of several GB takes minutes, and blocks its event loop meanwhile. */
const SILENCE_MS = { "cpu-profile": 30_000, "heap-snapshot": 600_000 } as const;

/** The parts of what was found, as they are asked for. The instance counts as alive meanwhile. */
export async function* profileOf(
  instances: readonly Instance[],
  slot: number,
  question: Extract<Question, { about: keyof typeof SILENCE_MS }>,
): AsyncGenerator<Buffer> {
  const instance = instances.find((each) => each.slot === slot && each.state === "ready");
  if (instance === undefined) throw requestError(`No instance is ready in slot ${slot}`);
  if (instance.isExcused) throw requestError(`Instance ${slot} is being profiled already`);
  const release = instance.excuse();
  try {
    const ms = question.about === "cpu-profile" ? question.ms : 0;
    yield* instance.ask(question, SILENCE_MS[question.about] + ms);
  } catch (error) {
    throw requestError(`Instance ${slot} gave no profile: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    release();
  }
}

function requestError(message: string): ChoirError {
  return new ChoirError("ERR_CHOIR_REQUEST", message);
}
