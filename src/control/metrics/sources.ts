/** What Choir's own metrics are made of. Types only; used in the supervisor. */
import type { SlotTotals } from "../../supervisor/measurements.ts";
import type { Snapshot } from "../../supervisor/snapshot.ts";
import type { EventCounts } from "./event-counts.ts";

/** How many connections wait to be accepted on a listening socket. */
export interface QueueLength {
  /** As in `Snapshot.urls`. */
  readonly address: string;
  readonly length: number;
}

export interface MessageCounts {
  readonly published: number;
  readonly delivered: number;
  readonly subscriptions: number;
  readonly retained: number;
  readonly retainedBytes: number;
}

export interface MetricSources {
  readonly snapshot: Snapshot;
  /** By slot. */
  readonly totals: ReadonlyMap<number, SlotTotals>;
  readonly events: EventCounts;
  readonly messages: MessageCounts;
  readonly queues: readonly QueueLength[];
  /** The supervisor's own use. */
  readonly supervisor: { readonly cpuUser: number; readonly cpuSystem: number; readonly rss: number };
  /** Slots whose instances did not answer when they were asked for the app's metrics. */
  readonly silent: ReadonlySet<number>;
}
