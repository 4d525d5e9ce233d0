/**
 * What the control socket and --metrics may call: the supervisor's methods, and what is asked of its parts. Runs in the supervisor; each
 * is one call, and what is seldom wanted is loaded when it is.
 */
import type { Controllable } from "../control/controllable.ts";
import type { EventFeed } from "../control/event-feed.ts";
import type { MetricsCollector } from "../control/metrics/collector.ts";
import { EventCounts } from "../control/metrics/event-counts.ts";
import type { Broker } from "../messaging/broker.ts";
import type { ResolvedOptions } from "../options/table.ts";
import type { BoundSocket } from "./sockets.ts";
import type { Supervisor } from "./supervisor.ts";

export interface ControlParts {
  readonly supervisor: Supervisor;
  readonly events: EventFeed;
  readonly broker: Broker;
  readonly sockets: readonly BoundSocket[];
  readonly options: Pick<ResolvedOptions, "appMetrics">;
}

/** Puts together what may be called. */
export function controlsOf(parts: ControlParts): Controllable {
  const { supervisor, events } = parts;
  const counts = new EventCounts();
  events.subscribe((event) => counts.take(event));
  let collector: Promise<MetricsCollector> | undefined;
  return {
    snapshot: () => supervisor.snapshot(),
    restart: (by) => supervisor.restart(by),
    scale: (instances, by) => supervisor.scale(instances, by),
    stop: (by) => supervisor.stop(by),
    async metrics(accept) {
      collector ??= makeCollector(parts, counts);
      return (await collector).metrics(accept);
    },
  };
}

/** Loaded with the first scrape: who never looks pays nothing for it. */
async function makeCollector(
  { supervisor, broker, sockets, options }: ControlParts,
  events: EventCounts,
): Promise<MetricsCollector> {
  const [{ MetricsCollector }, { queueLengths }] = await Promise.all([
    import("../control/metrics/collector.ts"),
    import("./queue-length.ts"),
  ]);
  return new MetricsCollector({
    supervisor,
    events,
    appMetrics: options.appMetrics,
    messages: () => broker.stats,
    queues: () => queueLengths(sockets),
  });
}
