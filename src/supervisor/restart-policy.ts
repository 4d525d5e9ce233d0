/** Decides what follows an exit: when a slot is filled anew, and when the supervisor gives up. Pure; used in the supervisor. */

/** An instance that was ready this long has proved itself: the back-off begins anew. */
const STABLE_AFTER_MS = 10_000;
/** A slot that fails this often before any instance was ever ready has failed for good. */
export const MAX_START_FAILURES = 5;

const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 15_000;

/** What a slot remembers of its instances' ends. */
export interface SlotHistory {
  /** Exits in a row that came before STABLE_AFTER_MS of being ready. */
  readonly quickExits: number;
  /** Those of them that were never ready. */
  readonly startFailures: number;
  /** Whether the last one was ended by --start-timeout. */
  readonly timedOut: boolean;
}

export const CLEAN_HISTORY: SlotHistory = { quickExits: 0, startFailures: 0, timedOut: false };

/** How an instance ended, as far as the policy cares. */
export interface ObservedExit {
  /** Milliseconds for which it was ready; null when it never was. */
  readonly readyMs: number | null;
  readonly timedOut: boolean;
  /** It was asked to end, and did: that says nothing of the next one. */
  readonly planned?: boolean;
}

/** Adds an exit to a slot's history. */
export function remember(history: SlotHistory, exit: ObservedExit): SlotHistory {
  if (exit.planned === true) return (exit.readyMs ?? 0) >= STABLE_AFTER_MS ? CLEAN_HISTORY : history;
  if (exit.readyMs === null) {
    return { quickExits: history.quickExits + 1, startFailures: history.startFailures + 1, timedOut: exit.timedOut };
  }
  const quickExits = exit.readyMs >= STABLE_AFTER_MS ? 1 : history.quickExits + 1;
  return { quickExits, startFailures: 0, timedOut: false };
}

/**
 * Milliseconds until a slot with this history is filled anew: none after the first quick exit of an instance that was ready,
 * then 250 ms doubling to 15 s; `random` in [0, 1) spreads it by ±20 %, so that slots do not beat in step.
 */
export function respawnDelay(history: SlotHistory, random: number): number {
  const steps = history.startFailures > 0 ? history.quickExits : history.quickExits - 1;
  if (steps <= 0) return 0;
  const delay = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(steps - 1, 10));
  return Math.min(LONGEST_DELAY_MS, Math.round(delay * (0.8 + 0.4 * random)));
}

/** Tells whether a start has failed for good: no instance was ever ready, and every slot failed too often or timed out. */
export function hasFailedToStart(histories: readonly SlotHistory[], everReady: boolean): boolean {
  if (everReady) return false;
  return histories.every((history) => history.startFailures >= MAX_START_FAILURES || history.timedOut);
}
