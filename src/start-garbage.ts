/**
 * Gives back the memory that only the start of a process needed. A leaf, used in both processes; docs/decisions/0018 has the figures.
 */
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** With more than this in use the pause would be felt, and what can be saved is little beside it. */
const LARGE_HEAP_BYTES = 128 * 1024 * 1024;

/** Collects all garbage at once. */
export type Collect = () => void;

/**
 * Collects all garbage, once: a pause of 10 ms and more, so it must be called while nobody waits. V8 has made room for the many
 * short-lived objects of a start, and keeps it until a full collection, which an idle process does not come to: 8 s after one it gives
 * the room back. Does nothing when more than 128 MB are in use.
 */
export function collectStartGarbage(collect: Collect | undefined): void {
  if (getHeapStatistics().used_heap_size <= LARGE_HEAP_BYTES) collect?.();
}

/**
 * In an instance, which the supervisor has started with `--expose-gc`: what the flag gives. `isOurs` says that the app has not asked
 * for it: then it is taken away from the app, in this context and in those that are made from now on.
 */
export function takeCollector(isOurs: boolean): Collect | undefined {
  // It gives a promise only to who asks for one.
  const gc = globalThis.gc as Collect | undefined;
  if (isOurs) {
    // It cannot be deleted.
    globalThis.gc = undefined;
    setFlagsFromString("--no-expose-gc");
  }
  return gc;
}

/**
 * For a process that was not started with the flag: it is read when a context is made. Not for instances: V8 runs an app in a process that
 * has made a second context a tenth slower for the rest of its life, the supervisor not.
 */
export function collectorOfNewContext(): Collect | undefined {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as Collect | undefined;
  setFlagsFromString("--no-expose-gc");
  return collect;
}
