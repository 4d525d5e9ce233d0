/** The rows of the options' table that are about metrics. Used where table.ts is. */
import type { Option } from "./table.ts";

export const METRICS_OPTIONS = {
  metrics: {
    kind: "boolean",
    group: "metrics",
    default: false,
    help: "Serve metrics for Prometheus, on a port of their own",
    more: "At `http://<metrics-address>/metrics`. Without it they are on the control socket only, and no further port is open. See [operations.md](operations.md).",
  },
  metricsAddress: {
    kind: "string",
    group: "metrics",
    placeholder: "host:port",
    default: "127.0.0.1:9464",
    help: "Where --metrics listens",
    more:
      "An address and a port, as `0.0.0.0:9464` or `[::]:9464`; port 0 lets the system choose one, which the log says. Who can reach it can " +
      "read how much is asked of the app and how it fares; there is no password.",
  },
  /** What becomes of the metrics that the app itself keeps with `prom-client`. */
  appMetrics: {
    kind: "string",
    choices: ["sum", "instance", "off"],
    group: "metrics",
    placeholder: "sum|instance|off",
    default: "sum",
    help: "The app's own prom-client metrics: summed over all instances, one by one with an instance label, or left out",
    more:
      "`sum` adds counters and histograms up, and what an instance counted stays when it ends; gauges are combined as their `aggregator` " +
      "says (`sum` unless the app chose another), and quantiles of summaries, which cannot be added, are left out.",
  },
} as const satisfies Record<string, Option>;
