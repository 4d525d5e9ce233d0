/** Counts garbage collections and how long they took. Runs in the instance. */
import { constants, PerformanceObserver } from "node:perf_hooks";
import { GC_KINDS, type Measured, toSparse } from "../measured.ts";

/** A function that tells what was collected since it was called last. */
export function gcGauge(): () => Pick<Measured, "gc" | "gcMs"> {
  const counts = new Uint32Array(GC_KINDS.length);
  const durations = new Float64Array(GC_KINDS.length);
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const index = INDEX.get((entry as { detail?: { kind?: number } }).detail?.kind ?? -1);
      if (index === undefined) continue;
      counts[index] = (counts[index] ?? 0) + 1;
      durations[index] = (durations[index] ?? 0) + entry.duration;
    }
  });
  observer.observe({ entryTypes: ["gc"] });
  return () => {
    const taken = { gc: toSparse(counts), gcMs: toSparse(durations.map((ms) => Math.round(ms * 1000) / 1000)) };
    counts.fill(0);
    durations.fill(0);
    return taken;
  };
}

const {
  NODE_PERFORMANCE_GC_MINOR: minor,
  NODE_PERFORMANCE_GC_MAJOR: major,
  NODE_PERFORMANCE_GC_INCREMENTAL: incremental,
  NODE_PERFORMANCE_GC_WEAKCB: weakcb,
} = constants;

/** Node's number of each kind, to its place in GC_KINDS. */
const INDEX: ReadonlyMap<number, number> = new Map([
  [minor, 0],
  [major, 1],
  [incremental, 2],
  [weakcb, 3],
]);
