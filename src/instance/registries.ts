/**
 * The app's own registries of metrics that it has told Choir of. Runs in the instance. Kept under a global symbol, as the role is: the
 * preload and "choir/instance" may be loaded from different copies of the package.
 */

/** As much of a registry of prom-client's as is used here. */
export interface MetricsRegistry {
  getMetricsAsJSON(): Promise<unknown>;
}

const REGISTRIES = Symbol.for("choir.registries");

/** The registries; add to it to have one served. */
export function exposedRegistries(): Set<MetricsRegistry> {
  const all = globalThis as { [REGISTRIES]?: Set<MetricsRegistry> };
  all[REGISTRIES] ??= new Set();
  return all[REGISTRIES];
}
