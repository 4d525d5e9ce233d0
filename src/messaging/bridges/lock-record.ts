/**
 * A lock of all machines as the engine keeps it: the list of those who hold it or wait for it, in the order in which they get it.
 * Every supervisor changes the list for its own claims only, and takes out those whose session has ended; each change replaces the
 * revision that it was made from. Runs in the supervisor; pure.
 */
import type { LockMode, Member } from "../lock-authority.ts";

/** Somebody's claim, in the list. */
export interface RecordedClaim {
  /** Unique in its session. */
  readonly id: number;
  /** The session of the supervisor whose instance it is. */
  readonly session: string;
  readonly mode: LockMode;
  readonly owner: Member;
  readonly held: boolean;
}

export type LockRecord = readonly RecordedClaim[];

/** A claim of this supervisor, and how far it has come. */
export interface OwnClaim {
  readonly id: number;
  readonly mode: LockMode;
  readonly owner: Member;
  /** `new`: not in the list yet. */
  readonly state: "new" | "waiting" | "held";
  readonly ifAvailable: boolean;
  readonly steal: boolean;
}

export interface Situation {
  /** This supervisor's session. */
  readonly session: string;
  /** All its claims of the name, in the order they came. */
  readonly own: readonly OwnClaim[];
  /** Sessions that have ended. */
  readonly dead: ReadonlySet<string>;
}

/** What is to be written, and what it means for own claims once it is. */
export interface Step {
  readonly record: LockRecord;
  /** Whether it differs from what is there. */
  readonly changed: boolean;
  /** Held from then on: one at a time, since its token is the revision of this very write. */
  readonly granted?: number;
  /** With `ifAvailable`: not to be had. */
  readonly unavailable: readonly number[];
  /** Held until now, and no longer in the list: somebody has taken it. */
  readonly lost: readonly number[];
}

/** Decides the next change of a record. */
export function nextStep(record: LockRecord, { session, own, dead }: Situation): Step {
  const known = new Map(own.map((claim) => [claim.id, claim]));
  const isOwn = (entry: RecordedClaim): boolean => entry.session === session;
  // Granted by a write whose answer was lost, with a token that nobody knows: it is granted anew.
  const isForgotten = (entry: RecordedClaim): boolean =>
    isOwn(entry) && entry.held && known.get(entry.id)?.state !== "held";
  let list = record
    .filter((entry) => (isOwn(entry) ? known.has(entry.id) : !dead.has(entry.session)))
    .map((entry) => (isForgotten(entry) ? { ...entry, held: false } : entry));
  const listed = new Set(list.filter(isOwn).map(({ id }) => id));
  const lost = own.filter(({ id, state }) => state === "held" && !listed.has(id)).map(({ id }) => id);
  const unavailable: number[] = [];
  let granted: number | undefined;
  for (const claim of own) {
    if (claim.state === "held" || listed.has(claim.id)) continue;
    const entry = entryOf(claim, session);
    if (claim.steal) {
      if (granted !== undefined) continue;
      // Who waits keeps waiting; who holds finds itself gone.
      list = [{ ...entry, held: true }, ...list.filter(({ held }) => !held)];
      granted = claim.id;
    } else if (!claim.ifAvailable) list = [...list, entry];
    else if (!isNext([...list, entry], list.length)) unavailable.push(claim.id);
    else if (granted === undefined) {
      list = [...list, { ...entry, held: true }];
      granted = claim.id;
    }
  }
  if (granted === undefined) {
    const at = list.findIndex((entry, index) => isOwn(entry) && !entry.held && isNext(list, index));
    const next = list[at];
    if (next !== undefined) {
      list = list.with(at, { ...next, held: true });
      granted = next.id;
    }
  }
  return { record: list, changed: !isSame(list, record), unavailable, lost, ...(granted !== undefined && { granted }) };
}

/** Encodes a record; undefined when nobody is in it. */
export function encodeRecord(record: LockRecord): Buffer | undefined {
  if (record.length === 0) return undefined;
  const rows = record.map(({ id, session, mode, owner, held }) => [id, session, mode, owner.id, owner.uid, held]);
  return Buffer.from(JSON.stringify(rows));
}

/** Decodes a record; what is none counts as empty, and is replaced by the next write. */
export function decodeRecord(bytes: Buffer | undefined): LockRecord {
  if (bytes === undefined) return [];
  try {
    const rows: unknown = JSON.parse(bytes.toString("utf8"));
    return Array.isArray(rows) ? rows.flatMap(decodeRow) : [];
  } catch {
    return [];
  }
}

function decodeRow(row: unknown): RecordedClaim[] {
  if (!Array.isArray(row)) return [];
  const [id, session, mode, slot, uid, held] = row as readonly unknown[];
  if (typeof id !== "number" || typeof session !== "string" || typeof slot !== "number" || typeof uid !== "string")
    return [];
  if ((mode !== "exclusive" && mode !== "shared") || typeof held !== "boolean") return [];
  return [{ id, session, mode, owner: { id: slot, uid }, held }];
}

/** Whether it can be held: nobody is before it, or all share. */
function isNext(list: LockRecord, at: number): boolean {
  if (at === 0) return true;
  return list.slice(0, at + 1).every(({ mode }) => mode === "shared");
}

function entryOf({ id, mode, owner }: OwnClaim, session: string): RecordedClaim {
  return { id, session, mode, owner, held: false };
}

function isSame(a: LockRecord, b: LockRecord): boolean {
  return a.length === b.length && a.every((entry, at) => entry === b[at]);
}
