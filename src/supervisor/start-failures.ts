/** What is known of starts that failed: each cause is said once, and when no start can succeed, that is known. Supervisor. */
import { ChoirError } from "../errors.ts";
import type { SentError } from "../protocol.ts";
import type { InstanceExit } from "./instance.ts";
import { isRecycling } from "./recycling.ts";
import { hasFailedToStart, type ObservedExit, type SlotHistory } from "./restart-policy.ts";

/** How many causes are remembered as said. */
const MOST_REMEMBERED = 100;

export class StartFailures {
  readonly #said = new Set<string>();
  #everReady = false;

  /** The cause of a failed start, and whether it has been said before. */
  note(exit: InstanceExit): { error: SentError; repeated: boolean } {
    const error = causeOf(exit);
    const repeated = this.#said.has(error.message);
    // Messages with a time or an address in them are all different: whoever fails for ever must not fill the memory.
    if (this.#said.size >= MOST_REMEMBERED) this.#said.clear();
    this.#said.add(error.message);
    return { error, repeated };
  }

  /** An instance got ready: a later failure is news, whatever its cause, and nothing is hopeless any more. */
  end(): void {
    if (!this.#everReady) this.#said.clear();
    this.#everReady = true;
  }

  /** Whether no start can succeed: no instance was ever ready, and this exit or all the failures so far say so. */
  areHopeless(exit: InstanceExit, { histories, allEnded }: StartState): boolean {
    if (this.#everReady) return false;
    return isFinal(exit) || allEnded || hasFailedToStart(histories, this.#everReady);
  }
}

export interface StartState {
  /** Of every slot. */
  readonly histories: readonly SlotHistory[];
  /** No process is left, and none may follow. */
  readonly allEnded: boolean;
}

/** Why an instance that never was ready ended. */
export function causeOf(exit: InstanceExit): SentError {
  if (exit.error !== undefined) return exit.error;
  // Nothing came over IPC: it was killed, timed out, or the app itself ended the process.
  const how = exit.signal === null ? `with exit code ${exit.code}` : `by ${exit.signal}`;
  const message =
    exit.reason === "start-timeout"
      ? "The instance was not ready by --start-timeout: configureServer or a start-up hook did not return, the file did not listen (in its main thread), ready() was not called, or --readiness-path did not answer 2xx"
      : `The process ended ${how} before it was ready${exit.note === undefined ? "" : `: ${exit.note}`}`;
  return { name: "Error", message, text: message };
}

/** Whether the same will happen to every start, so that there is no use in another one. */
function isFinal(exit: InstanceExit): boolean {
  return exit.final || exit.error?.code === "ERR_CHOIR_ADDRESS_IN_USE";
}

/** How a newcomer ended, for the result of a rolling restart. */
export function endOf(exit: InstanceExit): string {
  if (exit.readyMs === null) return causeOf(exit).message;
  const how = exit.signal === null ? `with exit code ${exit.code}` : `by ${exit.signal}`;
  return `A newcomer ended ${how} ${Math.round(exit.readyMs)} ms after it was ready`;
}

/** An exit as the restart policy sees it. */
export function observedExit({ readyMs, reason, code }: InstanceExit): ObservedExit {
  const planned = code === 0 && (reason === "asked" || isRecycling(reason));
  return { readyMs, timedOut: reason === "start-timeout", planned };
}

/** What the supervisor ends with when no instance could be started. */
export function startError(error: SentError): ChoirError {
  if (error.code === "ERR_CHOIR_ADDRESS_IN_USE") {
    return new ChoirError("ERR_CHOIR_ADDRESS_IN_USE", error.message, {
      hint: error.hint ?? "Stop the other program, or choose another --port",
    });
  }
  // Of `choir start`: the message says all, and the exit code that trying again does not help.
  if (error.code === "ERR_CHOIR_MODULE" || error.code === "ERR_CHOIR_ADDRESS") {
    return new ChoirError(error.code, error.message, { hint: error.hint });
  }
  return new ChoirError("ERR_CHOIR_START", `No instance could be started: ${error.message}`, {
    hint: "The log above has the whole error of the first failure",
  });
}

/** What is said when nothing is left and nothing may follow. */
export function allCrashedError(): ChoirError {
  return new ChoirError("ERR_CHOIR_ALL_CRASHED", "Every instance has ended, and --no-respawn forbids new ones");
}
