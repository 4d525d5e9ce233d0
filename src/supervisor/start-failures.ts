/** What is known of starts that failed: each cause is said once, and when no start can succeed, that is known. Supervisor. */
import { ChoirError } from "../errors.ts";
import type { SentError } from "../protocol.ts";
import type { InstanceExit } from "./instance.ts";

export class StartFailures {
  readonly #said = new Set<string>();

  /** The cause of a failed start, and whether it has been said before. */
  note(exit: InstanceExit): { error: SentError; repeated: boolean } {
    const error = causeOf(exit);
    const repeated = this.#said.has(error.message);
    this.#said.add(error.message);
    return { error, repeated };
  }

  /** An instance got ready: a later failure is news, whatever its cause. */
  forget(): void {
    this.#said.clear();
  }
}

/** Why an instance that never was ready ended. */
function causeOf(exit: InstanceExit): SentError {
  if (exit.error !== undefined) return exit.error;
  // Nothing came over IPC: it was killed, timed out, or the app itself ended the process.
  const how = exit.signal === null ? `with exit code ${exit.code}` : `by ${exit.signal}`;
  const message =
    exit.reason === "start-timeout"
      ? "The instance was not ready by --start-timeout: configureServer did not return, ready() was not called, or --readiness-path did not answer 2xx"
      : `The process ended ${how} before it was ready`;
  return { name: "Error", message, text: message };
}

/** Whether the same will happen to every start, so that there is no use in another one. */
export function isFinal(exit: InstanceExit): boolean {
  return exit.final || exit.error?.code === "ERR_CHOIR_ADDRESS_IN_USE";
}

/** What the supervisor ends with when no instance could be started. */
export function startError(error: SentError): ChoirError {
  if (error.code === "ERR_CHOIR_ADDRESS_IN_USE") {
    return new ChoirError(
      "ERR_CHOIR_ADDRESS_IN_USE",
      "Another process began to listen on the address at the same time",
      {
        hint: "Stop the other program, or choose another --port",
      },
    );
  }
  return new ChoirError("ERR_CHOIR_START", `No instance could be started: ${error.message}`, {
    hint: "The log above has the whole error of the first failure",
  });
}

/** How a newcomer ended, for the result of a rolling restart. */
export function endOf(exit: InstanceExit): string {
  if (exit.readyMs === null) return causeOf(exit).message;
  const how = exit.signal === null ? `with exit code ${exit.code}` : `by ${exit.signal}`;
  return `A newcomer ended ${how} ${Math.round(exit.readyMs)} ms after it was ready`;
}
