/**
 * Decides which instance holds far more connections than the others, and how many of them it is to let go of: those that stay would
 * pile up on whoever was there first after a rolling restart. Pure; runs in the supervisor. Figures: docs/decisions/0022-balance.md.
 */
import type { Statistics } from "../protocol.ts";

/** An instance that takes traffic. */
export interface Loaded {
  readonly uid: string;
  readonly statistics: Pick<Statistics, "connections" | "upgraded"> | null;
}

/** When an instance was last told to let go, by its uid. */
export type BalanceMemory = ReadonlyMap<string, number>;

export interface LetGo {
  readonly uid: string;
  readonly connections: number;
}

/** An instance holds far too many when it is over the mean by more than this share of it … */
const EXCESS_SHARE = 0.25;
/** … and by more than this many: below that nobody would notice. */
const EXCESS_COUNT = 8;
/** Of its connections, at most this share is let go at a time: their clients connect again, with a handshake each. */
const MOST_AT_ONCE = 0.2;
/** What was let go closes with its next answer: only after this time, in milliseconds, is it seen whether that was enough. */
const PAUSE_MS = 5000;

/** One round; call it only while all instances take traffic, since who has just come or is about to go distorts the mean. */
export function decideBalance(
  memory: BalanceMemory,
  { now, instances }: { now: number; instances: readonly Loaded[] },
): { memory: BalanceMemory; letGo: readonly LetGo[] } {
  const held = instances.map(({ uid, statistics }) => ({ uid, count: movable(statistics) }));
  const known = held.filter((each): each is { uid: string; count: number } => each.count !== undefined);
  if (known.length < 2 || known.length < held.length) return { memory, letGo: [] };
  const mean = known.reduce((sum, { count }) => sum + count, 0) / known.length;
  const next = new Map<string, number>();
  const letGo: LetGo[] = [];
  for (const { uid, count } of known) {
    const lastAt = memory.get(uid);
    const rests = lastAt !== undefined && now - lastAt < PAUSE_MS;
    const excess = count - mean;
    if (rests || excess <= Math.max(EXCESS_COUNT, EXCESS_SHARE * mean)) {
      if (rests) next.set(uid, lastAt);
      continue;
    }
    next.set(uid, now);
    letGo.push({ uid, connections: Math.ceil(Math.min(excess, MOST_AT_ONCE * count)) });
  }
  return { memory: next, letGo };
}

/** Nobody closes a WebSocket for balance: its client would notice. */
function movable(statistics: Loaded["statistics"]): number | undefined {
  return statistics === null ? undefined : statistics.connections - statistics.upgraded;
}
