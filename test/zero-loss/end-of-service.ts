/** What clients may see of a program that has come to its end, besides answers. Used by the tests that stop one. */
import type { Failure } from "./clients/journal.ts";
import { KEEP_ALIVE_SLOW } from "./load.ts";
import type { Expected } from "./verdict.ts";

/** A Unix socket that is gone has no file. */
export const isRefused = ({ what }: Failure): boolean => /ECONNREFUSED|ENOENT/.test(what);

/**
 * An idle connection is closed in good order after --idle-grace. The request of a client that rests longer can cross that on the
 * wire: it gets the end of the connection, no reset and no byte of an answer.
 */
const crossedTheEnd = ({ client, what }: Failure): boolean =>
  client === KEEP_ALIVE_SLOW.name && what.includes("UND_ERR_SOCKET other side closed");

/**
 * Linux resets what it has completed and nobody has accepted when the last listener closes. Between the last look at the queue
 * and the close there are microseconds: a few may meet them, on connections that never got an answer.
 */
const metTheClose = ({ what, pid }: Failure): boolean => pid === undefined && what.includes("ECONNRESET");
const MEETINGS = 3;

/** The failures that are none after a stop. */
export function afterTheEnd({ journal }: { journal: { readonly failures: readonly Failure[] } }): Expected {
  const met = journal.failures.filter(metTheClose).slice(0, MEETINGS);
  return { except: (failure) => isRefused(failure) || crossedTheEnd(failure) || met.includes(failure) };
}
