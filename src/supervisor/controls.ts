/**
 * What the control socket, --metrics and --dashboard may call: the supervisor's methods, and what is asked of its parts. Runs in the supervisor; each
 * is one call, and what is seldom wanted is loaded when it is.
 */
import type { Controllable } from "../control/controllable.ts";
import type { Control } from "../control/control.ts";
import type { Dashboard } from "../control/dashboard/server.ts";
import type { MetricsCollector } from "../control/metrics/collector.ts";
import { EventCounts } from "../control/metrics/event-counts.ts";
import type { MetricsServer, MetricsSource } from "../control/metrics/server.ts";
import { LEVELS, levelName } from "../logs/levels.ts";
import type { LogRouter } from "../logs/router.ts";
import type { Clock } from "../clock.ts";
import type { DashboardSource } from "../options/dashboard-source.ts";
import type { Broker } from "../messaging/broker.ts";
import { Operator } from "../messaging/operator.ts";
import type { ResolvedOptions } from "../options/table.ts";
import type { ChoirEvent } from "../events.ts";
import { profileOf } from "./profile.ts";
import type { Sockets } from "./open-sockets.ts";
import type { Supervisor } from "./supervisor.ts";

export interface ControlParts {
  readonly control: Control;
  readonly supervisor: Supervisor;
  readonly broker: Broker;
  readonly logs: LogRouter;
  readonly emit: (event: ChoirEvent) => void;
  readonly clock: Clock;
  readonly sockets: Pick<Sockets, "bound" | "desk">;
  /** Set with --dashboard. */
  readonly dashboard: DashboardSource | undefined;
  readonly options: Pick<ResolvedOptions, "appMetrics" | "metrics" | "metricsAddress" | "bindRetry">;
}

/** What was opened. */
export interface OpenControls {
  /** The control socket's path, as the event of the start has it. */
  readonly socket: { readonly control?: string };
  /** Says what else there is. */
  start(emit: (event: ChoirEvent) => void): void;
  /** Ends what else there is; the control socket goes last, by itself. */
  close(): void;
}

/** Opens the control socket and, with --metrics and --dashboard, their ports. */
export async function openControls(parts: ControlParts): Promise<OpenControls> {
  const { control, options } = parts;
  const target = controlsOf(parts);
  let metrics: MetricsServer | undefined;
  let dashboard: Dashboard | undefined;
  const close = (): void => {
    metrics?.close();
    dashboard?.close();
  };
  try {
    if (options.metrics) metrics = await openMetrics(options, (accept) => target.metrics(accept));
    dashboard = await openDashboard(parts, target);
    const socket = await control.open(target);
    return {
      socket: socket === undefined ? {} : { control: socket },
      start(emit) {
        if (metrics !== undefined) emit({ event: "metrics-listening", url: metrics.url });
        if (dashboard !== undefined)
          emit({ event: "dashboard-listening", url: dashboard.url, steers: dashboard.steers });
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** Loaded where they are wanted: it costs the others no memory. */
async function openMetrics(
  { metricsAddress, bindRetry }: ControlParts["options"],
  source: MetricsSource,
): Promise<MetricsServer> {
  const { serveMetrics } = await import("../control/metrics/server.ts");
  return serveMetrics(source, { address: metricsAddress, retryMs: bindRetry });
}

/** Likewise. */
async function openDashboard(
  { dashboard, options, control, clock }: ControlParts,
  target: Controllable,
): Promise<Dashboard | undefined> {
  if (dashboard === undefined) return undefined;
  const [{ serveDashboard }, { readPassword }] = await Promise.all([
    import("../control/dashboard/server.ts"),
    import("./certificate-files.ts"),
  ]);
  const token = await readPassword(dashboard.token);
  const { address } = dashboard;
  return serveDashboard(target, { address, token, retryMs: options.bindRetry, events: control.events, clock });
}

/** Puts together what may be called. */
function controlsOf(parts: ControlParts): Controllable {
  const { supervisor, control, logs, emit, broker } = parts;
  const counts = new EventCounts();
  control.events.subscribe((event) => counts.take(event));
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
    follow: (listener) => control.events.subscribe(listener),
    logs: logs.tail,
    logLevel: () => levelName(logs.level),
    setLogLevel(level, by) {
      const was = levelName(logs.level);
      logs.level = LEVELS[level];
      emit({ event: "log-level-changed", to: level, was, by });
    },
    reopenLogs(by) {
      logs.reopen();
      emit({ event: "logs-reopened", by });
    },
    messages: new Operator(broker),
    profile: (slot, what) => profileOf(supervisor.live, slot, what),
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
    queues: () => queueLengths([...sockets.bound, ...(sockets.desk?.sockets ?? [])]),
  });
}
