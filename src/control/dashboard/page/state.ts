/**
 * What the page knows of the app, and how snapshots and events change it. Runs in the browser; pure: every change gives a new state.
 * All times are of the supervisor's clock, in milliseconds since the epoch.
 */
import type { ChoirEvent } from "../../../events.ts";
import type { InstanceSnapshot, SlotSnapshot, Snapshot, Traffic } from "../../../supervisor/snapshot.ts";
import type { HistoryReport, PastEvent } from "../sample.ts";

export interface PageState {
  /** Undefined until the first one has come. */
  readonly snapshot: Snapshot | undefined;
  /** When the snapshot came. */
  readonly seenAt: number;
  /** The oldest first. */
  readonly events: readonly PastEvent[];
  /** When a slot is filled anew, by its number. */
  readonly respawns: ReadonlyMap<number, number>;
  /** The rolling restart that runs, or was the last. */
  readonly rollout: Rollout | undefined;
}

/** A rolling restart as it is watched. */
export interface Rollout {
  readonly generation: number;
  readonly by: string;
  readonly startedAt: number;
  /** Undefined while it runs. */
  readonly end: { readonly at: number; readonly event: Finished } | undefined;
}

export type Finished = Extract<ChoirEvent, { event: "restart-finished" }>;
export type Exited = Extract<ChoirEvent, { event: "instance-exited" }>;

/** As many as the supervisor keeps. */
const MOST_EVENTS = 200;

export const NO_STATE: PageState = {
  snapshot: undefined,
  seenAt: 0,
  events: [],
  respawns: new Map(),
  rollout: undefined,
};

/** Begins with what happened before the page was opened. */
export function withHistory({ events }: Pick<HistoryReport, "events">): PageState {
  return events.reduce(withEvent, NO_STATE);
}

/** Adds events that came while the history was on its way, less those that it has already. */
export function withLater(state: PageState, events: readonly ChoirEvent[], at: number): PageState {
  const known = new Set(state.events.map(({ event }) => JSON.stringify(event)));
  const later = events.filter((event) => !known.has(JSON.stringify(event)));
  return later.reduce((before, event) => withEvent(before, { at, event }), state);
}

/** Takes a snapshot that came at `at`. */
export function withSnapshot(state: PageState, snapshot: Snapshot, at: number): PageState {
  const waiting = new Set(snapshot.slots.filter(({ instances }) => instances.length === 0).map(({ id }) => id));
  const respawns = new Map([...state.respawns].filter(([id]) => waiting.has(id)));
  return { ...state, snapshot, seenAt: at, respawns };
}

/** Takes an event: what it says is shown at once, and not with the next snapshot only. */
export function withEvent(state: PageState, past: PastEvent): PageState {
  const { event, at } = past;
  const noted = { ...state, events: [...state.events, past].slice(-MOST_EVENTS) };
  switch (event.event) {
    case "restart-started":
      return { ...noted, rollout: { generation: event.generation, by: event.by, startedAt: at, end: undefined } };
    case "restart-finished": {
      const rollout = state.rollout ?? startOf(event, at);
      return { ...noted, rollout: { ...rollout, generation: event.generation, end: { at, event } } };
    }
    case "instance-exited":
      return withExit(noted, event, at);
    case "instance-ready":
      return inSlot(noted, event.instance, (slot) => withReady(slot, event));
    default:
      return noted;
  }
}

/** A page that was opened while it ran, long after it began. */
function startOf({ generation, durationMs }: Finished, at: number): Rollout {
  return { generation, by: "", startedAt: at - durationMs, end: undefined };
}

type Ready = Extract<ChoirEvent, { event: "instance-ready" }>;

/** It may have been spawned since the last snapshot. */
function withReady(slot: SlotSnapshot, { pid, generation, startMs }: Ready): SlotSnapshot {
  const isKnown = slot.instances.some((each) => each.pid === pid);
  const before = isKnown ? slot.instances : [...slot.instances, newcomer(pid, generation, startMs)];
  return { ...slot, instances: before.map((each) => (each.pid === pid ? { ...each, state: "ready" } : each)) };
}

function newcomer(pid: number, generation: number, uptimeMs: number): InstanceSnapshot {
  return {
    uid: "",
    pid,
    generation,
    state: "starting",
    uptimeMs,
    statistics: null,
    traffic: NO_TRAFFIC,
    heardMs: null,
  };
}

const NO_TRAFFIC: Traffic = { requestsPerSecond: 0, errorsPerSecond: 0, abortedPerSecond: 0, p50Ms: null, p99Ms: null };

function withExit(state: PageState, event: Exited, at: number): PageState {
  const { instance, pid, reason, code, signal, respawnMs } = event;
  const respawns = new Map(state.respawns);
  if (respawnMs === null) respawns.delete(instance);
  else respawns.set(instance, at + respawnMs);
  return inSlot({ ...state, respawns }, instance, (slot) => ({
    ...slot,
    instances: slot.instances.filter((each) => each.pid !== pid),
    lastExit: { reason, code, signal, at: new Date(at).toISOString() },
  }));
}

function inSlot(state: PageState, id: number, change: (slot: SlotSnapshot) => SlotSnapshot): PageState {
  const { snapshot } = state;
  if (snapshot === undefined) return state;
  const slots = snapshot.slots.map((slot) => (slot.id === id ? change(slot) : slot));
  const ready = slots.flatMap(({ instances }) => instances).filter(({ state: is }) => is === "ready").length;
  return { ...state, snapshot: { ...snapshot, slots, ready } };
}
