/**
 * The metrics that the app itself keeps with prom-client, for the supervisor, which merges those of all instances. Runs in the
 * instance; src/control/metrics/app.ts is the other side.
 */
import { createRequire } from "node:module";
import { exposedRegistries, type MetricsRegistry } from "./registries.ts";

/** The metrics of all registries, as one JSON array in UTF-8; `[]` when the app keeps none. */
export async function* appMetrics(): AsyncGenerator<Buffer> {
  const registries = new Set([...exposedRegistries(), ...defaultRegistries()]);
  const lists = await Promise.all([...registries].map((registry) => registry.getMetricsAsJSON()));
  // A registry that was merged from others shares their metrics.
  yield Buffer.from(JSON.stringify([...new Set(lists.flat())], asJson));
}

/** JSON has no infinities: a gauge may hold one. */
function asJson(_: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

/**
 * The default registry of every copy of prom-client that this process has loaded. Looked up, never loaded, when somebody asks: an app
 * without it pays nothing, and one with it has nothing to set up.
 */
function defaultRegistries(): MetricsRegistry[] {
  const { cache } = createRequire(import.meta.url);
  return Object.keys(cache).flatMap((file) => {
    if (!/[\\/]prom-client[\\/]index\.js$/.test(file)) return [];
    const register: unknown = Reflect.get((cache[file]?.exports ?? {}) as object, "register");
    return isRegistry(register) ? [register] : [];
  });
}

/** Whether a value is a registry, of whatever version. */
function isRegistry(value: unknown): value is MetricsRegistry {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof (value as Partial<MetricsRegistry>).getMetricsAsJSON === "function"
  );
}
