/** Errors of requests, and the check of a deadline. Used in the instance. */
import { ChoirError, quote } from "../errors.ts";
import type { Member } from "./lock-authority.ts";

const DEFAULT_TIMEOUT_MS = 5000;
const LONGEST_TIMEOUT_MS = 0x7f_ff_ff_ff;

/** @throws RangeError when it is no number of milliseconds that a timer takes. */
export function checkTimeout(timeout: number = DEFAULT_TIMEOUT_MS): number {
  if (typeof timeout === "number" && timeout > 0 && timeout <= LONGEST_TIMEOUT_MS) return timeout;
  throw new RangeError(
    `timeout of a request must be milliseconds from 1 to ${LONGEST_TIMEOUT_MS}, such as 5000, got ${quote(timeout)}`,
  );
}

/** Who was asked did not answer in time; nobody is known when the supervisor has not passed the request on. */
export function timeoutError(
  { topic, members }: { readonly topic: string; readonly members: readonly Member[] | undefined },
  timeout = DEFAULT_TIMEOUT_MS,
): ChoirError {
  const [member] = members ?? [];
  const who = member === undefined ? "The supervisor" : describeMember(member);
  const did = member === undefined ? "did not pass on" : "did not answer";
  return new ChoirError("ERR_CHOIR_TIMEOUT", `${who} ${did} the request ${quote(topic)} within ${timeout} ms`);
}

/** Who was asked has ended, or its machine cannot be reached any more. */
export function goneError(topic: string, from: Member): ChoirError {
  const happened = from.machine === undefined ? "ended" : "ended, or the way to it was lost,";
  const what = `${describeMember(from)} ${happened} before it answered the request ${quote(topic)}`;
  return new ChoirError("ERR_CHOIR_RESPONDER_GONE", what);
}

function describeMember({ id, machine }: Member): string {
  return machine === undefined ? `Instance ${id}` : `Instance ${id} of ${machine}`;
}
