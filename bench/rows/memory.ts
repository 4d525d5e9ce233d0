/** Memory as it adds up on a machine: pages that processes share count once (PSS). */
import { readFileSync } from "node:fs";
import type { HttpRow } from "../row.ts";
import { pause, type Surroundings } from "../serving.ts";
import { requests } from "../load/h2load.ts";

/** After a start, for what is still being loaded, and for V8, which gives room back 8 s after a full garbage collection. */
const SETTLE_MS = 10_000;

export function memory(surroundings: Surroundings, instances: 2 | 8, when: "idle" | "loaded"): HttpRow {
  const bars = [{ peer: "pm2", atMost: 0.95 }];
  const peers = ["choir", "bare", "pm2", "watt"];
  return {
    name: when === "idle" ? `memory-${instances}` : `memory-${instances}-loaded`,
    title: `Memory, ${instances} instances, ${when}`,
    how:
      when === "idle"
        ? "The sum of PSS in /proc/PID/smaps_rollup, 10 s after the start and before any load."
        : "The same right after h2load --h1 -c64 with 30,000 requests for each second that other rows take: equal work for all.",
    metrics: [
      { name: "total", title: "all", unit: "MB", better: "lower", bars },
      { name: "manager", title: "manager", unit: "MB", better: "lower" },
      { name: "instance", title: "an instance", unit: "MB", better: "lower" },
    ],
    setup: { app: "fastify", protocol: "http", instances },
    contestants: instances === 2 ? [...peers, "cluster-rr"] : peers,
    tools: when === "idle" ? [] : ["h2load"],
    every: instances === 2 ? 4 : 8,
    warm: false,
    async measure({ url, pids }, { seconds }) {
      // A run of one second looks whether it works, not how much it is.
      if (when === "idle") await pause(seconds === 1 ? 100 : SETTLE_MS);
      else await requests(surroundings.processes, { url, count: 30_000 * seconds });
      const { manager, instances: each } = pids();
      const [managers, all] = [pss(manager), pss(each)];
      return { total: managers + all, manager: managers, instance: all / instances };
    },
  };
}

/** Megabytes of 10^6 bytes. */
function pss(pids: readonly number[]): number {
  const kibibytes = pids.map((pid) =>
    Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1]),
  );
  return kibibytes.reduce((sum, each) => sum + each, 0) * 0.001_024;
}
