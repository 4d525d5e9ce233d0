/** One moment of an app, as the dashboard's charts draw it. Used in the supervisor, which keeps them, and in the page; a leaf, pure. */
import type { ChoirEvent } from "../../events.ts";
import type { Snapshot } from "../../supervisor/snapshot.ts";

/** One moment. Rates are per second, times in milliseconds, memory in bytes; null where nothing is known. */
export interface Sample {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly requests: number;
  readonly errors: number;
  readonly p50: number | null;
  readonly p99: number | null;
  /** The longest delay of an event loop and the memory, by slot: what serves there, or follows. */
  readonly slots: readonly SlotSample[];
}

/** A slot's number, the delay of its event loop, and its memory: a list, since there are many of them. */
export type SlotSample = readonly [id: number, loopDelay: number | null, rss: number | null];

/** An event and when it was, in milliseconds since the epoch. */
export interface PastEvent {
  readonly at: number;
  readonly event: ChoirEvent;
}

/** The oldest first. */
export interface HistoryReport {
  /** The supervisor's clock, in milliseconds since the epoch. */
  readonly now: number;
  readonly samples: readonly Sample[];
  readonly events: readonly PastEvent[];
}

/** With more slots, those of each sample are the first so many: a report of a thousand would be many megabytes. */
const MOST_SLOTS = 32;

/** Makes a sample of a snapshot; `at` is in milliseconds since the epoch. */
export function sampleOf({ traffic, slots }: Snapshot, at: number): Sample {
  return {
    at,
    requests: traffic.requestsPerSecond,
    errors: traffic.errorsPerSecond + traffic.abortedPerSecond,
    p50: traffic.p50Ms,
    p99: traffic.p99Ms,
    slots: slots.slice(0, MOST_SLOTS).map(({ id, instances }) => {
      const known = instances.flatMap(({ statistics }) => statistics ?? []);
      return [
        id,
        known.length === 0 ? null : round(Math.max(...known.map((each) => each.loopDelayMax))),
        known.length === 0 ? null : known.reduce((sum, each) => sum + each.rss, 0),
      ];
    }),
  };
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
