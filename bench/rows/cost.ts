/** What parts of Choir's cost the requests: Choir as it is beside itself without one, or with one more. */
import type { HttpRow } from "../row.ts";
import type { Surroundings } from "../serving.ts";
import { wrk } from "../load/wrk.ts";
import { cpuSeconds } from "../processes.ts";

const CONNECTIONS = 64;
/** The most that measuring requests may add to the CPU time of one. */
const MEASURING = { peer: "choir-unmeasured", atMost: 1.02 };

export function cost(surroundings: Surroundings): HttpRow {
  return {
    name: "cost",
    title: "What measuring, --use-zone and --access-log cost, kept connections, Fastify",
    how: `wrk -t1 -c${CONNECTIONS}. All run at the same time and are asked in turn, half the usual time each. The CPU time is that of the instances; it scatters less than requests a second.`,
    metrics: [
      { name: "requests", title: "requests", unit: "/s", better: "higher" },
      { name: "cpu", title: "CPU for a request", unit: "µs", better: "lower", bars: [MEASURING] },
    ],
    setup: { app: "fastify", protocol: "http", instances: 2 },
    tools: ["wrk"],
    contestants: ["choir", "choir-unmeasured", "choir-zone", "choir-access-log"],
    every: 4,
    turns: 7,
    warm: true,
    async measure({ url, pids }, { seconds, note }) {
      const used = (): number => pids().instances.reduce((all, pid) => all + cpuSeconds(pid), 0);
      const before = used();
      const load = { url, seconds: seconds / 2, connections: CONNECTIONS };
      const { perSecond, count, errors } = await wrk(surroundings.processes, load);
      if (errors !== "") note(errors);
      return { requests: perSecond, cpu: ((used() - before) / count) * 1e6 };
    },
  };
}
