/**
 * Who responds to what at a supervisor, as it tells the others. Used in the supervisor; pure. Whatever an engine delivers, decoding
 * it throws nothing.
 */
import type { Member } from "../lock-authority.ts";
import type { Responding } from "../request-party.ts";
import { isPattern } from "../topics.ts";

/** Instances of another machine by uid, each with what it responds to. */
export type Directory = ReadonlyMap<string, { readonly member: Member; readonly patterns: ReadonlySet<string> }>;

interface Sent {
  readonly machine: string;
  readonly members: readonly { readonly id: number; readonly uid: string; readonly topics: readonly string[] }[];
}

/** What a name may be that goes into other instances' lists of who was asked. */
const NAME = /^[\w.:@~-]{1,100}$/;
/** Instances of one supervisor. */
const MOST_MEMBERS = 10_000;

/** A host's name and a process id in the form that a directory takes. */
export function machineName(host: string, pid: number): string {
  return `${host.replaceAll(/[^\w.@~-]/g, "_").slice(0, 80)}:${pid}`;
}

export function encodeDirectory(machine: string, responding: readonly Responding[]): Buffer {
  const members = responding.map(({ member, patterns }) => ({ id: member.id, uid: member.uid, topics: patterns }));
  return Buffer.from(JSON.stringify({ machine, members } satisfies Sent));
}

/** Undefined when it is none. */
export function decodeDirectory(bytes: Buffer): Directory | undefined {
  let sent: Partial<Sent> | null;
  try {
    sent = JSON.parse(bytes.toString("utf8")) as Partial<Sent> | null;
  } catch {
    return undefined;
  }
  const { machine, members } = sent ?? {};
  if (!isName(machine) || !Array.isArray(members) || members.length > MOST_MEMBERS) return undefined;
  const directory = new Map<string, { member: Member; patterns: Set<string> }>();
  for (const each of members as readonly unknown[]) {
    const { id, uid, topics } = (each ?? {}) as Record<string, unknown>;
    if (!Number.isInteger(id) || !isName(uid) || !Array.isArray(topics) || !topics.every(isTextPattern))
      return undefined;
    directory.set(uid, { member: { id: id as number, uid, machine }, patterns: new Set(topics) });
  }
  return directory;
}

function isName(value: unknown): value is string {
  return typeof value === "string" && NAME.test(value);
}

function isTextPattern(value: unknown): value is string {
  return typeof value === "string" && isPattern(value);
}
