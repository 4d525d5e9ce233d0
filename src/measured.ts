/**
 * What an instance counted since its last heartbeat, as it travels to the supervisor, which adds it up for the slot: so no counter
 * falls when an instance ends. Used in both processes; a leaf.
 */
import { DURATION_BUCKETS } from "./histogram.ts";

/** What clients speak, in the order in which responses are counted. */
export const PROTOCOLS = ["1.0", "1.1", "2"] as const;

/** How answers are counted: `aborted` are those that did not reach their end, whatever status they began with. */
export const STATUS_CLASSES = ["aborted", "1xx", "2xx", "3xx", "4xx", "5xx"] as const;

export const RESPONSE_KINDS = PROTOCOLS.length * STATUS_CLASSES.length;

/** Kinds of garbage collection, in the order in which they are counted. */
export const GC_KINDS = ["minor", "major", "incremental", "weakcb"] as const;

/** Counts that are not zero: an index, its count, the next index, its count and so on. */
export type Sparse = readonly number[];

export interface Measured {
  /** How many milliseconds it covers. */
  readonly elapsedMs: number;
  /** Answers by protocol and status class: see `responseIndex`. */
  readonly responses: Sparse;
  /** By bucket of src/histogram.ts. */
  readonly durations: Sparse;
  /** Sum of all durations, milliseconds. */
  readonly durationSum: number;
  /** Connections accepted. */
  readonly connections: number;
  /** Connections ended for what a client sent as HTTP, or did not send in time. */
  readonly refused: number;
  readonly failedHandshakes: number;
  /** CPU time, milliseconds. */
  readonly cpuUser: number;
  readonly cpuSystem: number;
  /** Garbage collections by kind. */
  readonly gc: Sparse;
  /** How long they took, milliseconds, by kind. */
  readonly gcMs: Sparse;
}

/** Where answers of a protocol and class are counted. */
export function responseIndex(protocol: number, statusClass: number): number {
  return protocol * STATUS_CLASSES.length + statusClass;
}

/** Picks what is not zero. */
export function toSparse(counts: ArrayLike<number>): number[] {
  const sparse: number[] = [];
  for (let index = 0; index < counts.length; index++) {
    const count = counts[index] ?? 0;
    if (count !== 0) sparse.push(index, count);
  }
  return sparse;
}

/** Adds sparse counts to an array of all. */
export function addSparse(counts: Float64Array, sparse: Sparse): void {
  for (let at = 0; at + 1 < sparse.length; at += 2) {
    const index = sparse[at] ?? 0;
    counts[index] = (counts[index] ?? 0) + (sparse[at + 1] ?? 0);
  }
}

const LENGTHS: Readonly<Partial<Record<keyof Measured, number>>> = {
  responses: RESPONSE_KINDS,
  durations: DURATION_BUCKETS,
  gc: GC_KINDS.length,
  gcMs: GC_KINDS.length,
};

const AMOUNTS: readonly (keyof Measured)[] = [
  "elapsedMs",
  "durationSum",
  "connections",
  "refused",
  "failedHandshakes",
  "cpuUser",
  "cpuSystem",
];

/** Whether a value is such counts: the channel is the app's too, and nothing on it may spoil what the others are worth. */
export function isMeasured(value: unknown): value is Measured {
  if (typeof value !== "object" || value === null) return false;
  const fields = value as Readonly<Record<string, unknown>>;
  return (
    AMOUNTS.every((name) => isAmount(fields[name])) &&
    Object.entries(LENGTHS).every(([name, length]) => isSparse(fields[name], length))
  );
}

function isAmount(value: unknown): boolean {
  return typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

function isSparse(value: unknown, length: number): boolean {
  if (!Array.isArray(value) || value.length > 2 * length || value.length % 2 !== 0) return false;
  return value.every((item: unknown, at) =>
    at % 2 === 0 ? Number.isInteger(item) && (item as number) >= 0 && (item as number) < length : isAmount(item),
  );
}
