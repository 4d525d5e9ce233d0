/** Reads numbers of the `choir` command's line. Pure. */
import { quote } from "../errors.ts";
import { optionError } from "../options/origin.ts";

/** A whole number within bounds; `what` names it in the message. */
export function wholeNumberOf(text: string, what: string, [least, most]: readonly [number, number]): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw optionError(`${what} must be a whole number from ${least} to ${most}, got ${quote(text)}`);
}
