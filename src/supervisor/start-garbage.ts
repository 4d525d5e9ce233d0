/**
 * Gives back the memory that only the start of the supervisor needed. A leaf; docs/decisions/0018 has the figures, and why instances
 * have another way (src/instance/young-generation.ts).
 */
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** With more than this in use the pause would be felt, and what can be saved is little beside it. */
const LARGE_HEAP_BYTES = 128 * 1024 * 1024;

/**
 * Collects all garbage, once: a pause of 10 ms and more, so it must be called while nobody waits. V8 has made room for the many
 * short-lived objects of a start, and keeps it until a full collection, which an idle process does not come to: 8 s after one it gives
 * the room back. Does nothing when more than 128 MB are in use.
 */
export function collectStartGarbage(): void {
  if (getHeapStatistics().used_heap_size > LARGE_HEAP_BYTES) return;
  // There is no public way to ask for a collection but the one of --expose-gc; the flag is read when a context is made.
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (() => void) | undefined;
  setFlagsFromString("--no-expose-gc");
  collect?.();
}
