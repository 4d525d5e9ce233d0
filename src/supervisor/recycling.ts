/**
 * Decides which instance is to be replaced before it does harm: by requests answered, age, memory, or a nearly full JavaScript heap.
 * One at a time over the whole app. Pure; runs in the supervisor.
 */
import type { ExitReason, RecycleReason } from "../events.ts";
import type { Statistics } from "../protocol.ts";
import type { InstanceState } from "./states.ts";

/** Undefined is without limit. */
export interface RecycleLimits {
  readonly requests: number | undefined;
  /** Milliseconds of being ready. */
  readonly age: number | undefined;
  /** Resident bytes. */
  readonly memory: number | undefined;
}

export interface Recyclable {
  readonly uid: string;
  readonly state: InstanceState;
  /** Its replacement is on its way, or about to be. */
  readonly isLeaving: boolean;
  /** Milliseconds since it got ready. */
  readonly readyFor: number | undefined;
  /** When its last heartbeat came, and what it said. */
  readonly heardAt: number | undefined;
  readonly statistics: Statistics | null;
}

/** What is remembered of one instance between two rounds. */
interface Record {
  /** Spreads its limits: two instances of one age and load must not reach them together. */
  readonly spread: number;
  readonly heardAt: number | undefined;
  /** Heartbeats in a row in which it was over. */
  readonly overMemory: number;
  readonly overHeap: number;
}

/** What a round hands to the next one. */
export interface RecyclingMemory {
  readonly records: ReadonlyMap<string, Record>;
  /** No instance is replaced for its memory before this, by `Clock.now()`. */
  readonly memoryHeldUntil: number;
}

export interface Recycling {
  readonly uid: string;
  readonly reason: RecycleReason;
  /** What it has reached, and what it may. */
  readonly value: number;
  readonly limit: number;
  /** So soon after its start that the limit is hardly more than the app needs. */
  readonly early: boolean;
}

export const NO_RECYCLING: RecyclingMemory = { records: new Map(), memoryHeldUntil: 0 };

/** Heartbeats in a row that have to show too much memory: one may come right before a collection of garbage. */
const SAMPLES = 3;
/** An app that reaches its memory limit sooner than this after each start would do nothing but be replaced. */
export const EARLY_MS = 60_000;
/** From 0.8 on V8 ends a process whose collections of garbage free too little, and at 1 any. */
const HEAP_FILL = 0.85;
const SPREAD = 0.1;

/** One round: remembers what the heartbeats said, and names the instance to replace, if it is anyone's turn. */
export function decideRecycling(
  memory: RecyclingMemory,
  { now, instances }: { now: number; instances: readonly Recyclable[] },
  { limits, random }: { limits: RecycleLimits; random: () => number },
): { memory: RecyclingMemory; recycling: Recycling | undefined } {
  const records = new Map(
    instances.map((instance) => [
      instance.uid,
      remember(memory.records.get(instance.uid), instance, { limits, random }),
    ]),
  );
  // While one starts or drains there are more processes than wanted already, and perhaps fewer that are ready.
  const isQuiet = instances.every(({ state, isLeaving }) => state === "ready" && !isLeaving);
  const memoryIsHeld = now < memory.memoryHeldUntil;
  const candidates = isQuiet ? instances.flatMap((instance) => reasonsOf(instance, { records, limits })) : [];
  const [recycling] = candidates.filter(({ reason }) => !(memoryIsHeld && isOfMemory(reason))).sort(byUrgency);
  const holds = recycling !== undefined && isOfMemory(recycling.reason) && recycling.early;
  return { memory: { records, memoryHeldUntil: holds ? now + EARLY_MS : memory.memoryHeldUntil }, recycling };
}

function remember(
  before: Record | undefined,
  { heardAt, statistics }: Recyclable,
  { limits, random }: { limits: RecycleLimits; random: () => number },
): Record {
  const record = before ?? {
    spread: 1 - SPREAD + 2 * SPREAD * random(),
    heardAt: undefined,
    overMemory: 0,
    overHeap: 0,
  };
  if (statistics === null || heardAt === record.heardAt) return record;
  const isOver = limits.memory !== undefined && statistics.rss > limits.memory;
  const isFull = statistics.heapFill > HEAP_FILL;
  return {
    spread: record.spread,
    heardAt,
    overMemory: isOver ? record.overMemory + 1 : 0,
    overHeap: isFull ? record.overHeap + 1 : 0,
  };
}

function reasonsOf(
  { uid, readyFor, statistics }: Recyclable,
  { records, limits }: { records: ReadonlyMap<string, Record>; limits: RecycleLimits },
): Recycling[] {
  const record = records.get(uid);
  if (record === undefined || statistics === null || readyFor === undefined) return [];
  const reached: Recycling[] = [];
  const check = (reason: RecycleReason, value: number, limit: number): void => {
    if (value >= limit) reached.push({ uid, reason, value, limit, early: isOfMemory(reason) && readyFor < EARLY_MS });
  };
  if (record.overHeap >= SAMPLES) check("heap", statistics.heapFill, HEAP_FILL);
  if (record.overMemory >= SAMPLES && limits.memory !== undefined) check("max-memory", statistics.rss, limits.memory);
  if (limits.requests !== undefined)
    check("max-requests", statistics.requests, Math.ceil(limits.requests * record.spread));
  if (limits.age !== undefined) check("max-age", readyFor, Math.round(limits.age * record.spread));
  return reached;
}

/** What ends in a crash goes first, then the one that is furthest over its limit. */
function byUrgency(a: Recycling, b: Recycling): number {
  const urgency = (reason: RecycleReason): number => URGENCY.indexOf(reason);
  return urgency(a.reason) - urgency(b.reason) || b.value / b.limit - a.value / a.limit;
}

const URGENCY: readonly RecycleReason[] = ["heap", "max-memory", "max-requests", "max-age"];

/** Whether an instance that goes for this reason did so at a limit, and not for a fault. */
export function isRecycling(reason: ExitReason): boolean {
  return URGENCY.some((known) => known === reason);
}

function isOfMemory(reason: RecycleReason): boolean {
  return reason === "heap" || reason === "max-memory";
}
