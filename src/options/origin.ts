/** Where an option's value came from, and the messages that say so. Used in the supervisor only; a leaf. */
import { ChoirError, type ChoirErrorOptions } from "../errors.ts";
import { type AnyOptionName, flagOf, specOf } from "./table.ts";
import type { Problem } from "./values.ts";

/** Where an option's value came from; `name` is the flag, the environment variable, or the file with the line. */
export interface Origin {
  readonly from: "flag" | "environment" | "file" | "code" | "default";
  readonly name?: string;
}

/** Makes the error about a value: what it must be, what was got, where that came from and what to write. */
export function wrongValue(
  name: AnyOptionName,
  got: string,
  { problem, origin }: { problem: Problem; origin: Origin },
): ChoirError {
  const subject = origin.from === "code" || origin.from === "file" ? name : flagOf(name);
  const advice = problem.advice === undefined ? "" : `: ${problem.advice}`;
  // A password is in no message, not even a wrong one.
  const shown = specOf(name).secret === true ? "something else" : got;
  const message = `${subject} must be ${problem.expected}, got ${shown} (from ${describeOrigin(origin)})${advice}`;
  return origin.from === "file" ? configError(message) : optionError(message);
}

/** Makes an error of the configuration file. */
export function configError(message: string, options?: ChoirErrorOptions): ChoirError {
  return new ChoirError("ERR_CHOIR_CONFIG", message, options);
}

/** Makes an error of the command line, the environment or the Runner's options. */
export function optionError(message: string): ChoirError {
  return new ChoirError("ERR_CHOIR_OPTION", message);
}

/** Names an origin in a sentence: `the environment variable PORT`. */
export function describeOrigin({ from, name = "" }: Origin): string {
  const places: Record<Origin["from"], string> = {
    flag: "the command line",
    environment: `the environment variable ${name}`,
    file: name,
    code: "the Runner's options",
    default: "the default",
  };
  return places[from];
}
