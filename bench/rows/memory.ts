/** Memory as it adds up on a machine: pages that processes share count once (PSS). */
import { readFileSync } from "node:fs";
import type { HttpRow } from "../row.ts";
import { pause, type Surroundings } from "../serving.ts";
import { wrk } from "../load/wrk.ts";

/** After a start, for what is still being loaded and for the first garbage collections. */
const SETTLE_MS = 1500;

export function memory(surroundings: Surroundings, instances: 2 | 8, when: "idle" | "loaded"): HttpRow {
  const bars = [{ peer: "pm2", atMost: 0.95 }];
  return {
    name: when === "idle" ? `memory-${instances}` : `memory-${instances}-loaded`,
    title: `Memory, ${instances} instances, ${when}`,
    how:
      when === "idle"
        ? "The sum of PSS in /proc/PID/smaps_rollup, 1.5 s after the start and before any load."
        : "The same right after wrk -t1 -c64 on kept connections.",
    metrics: [
      { name: "total", title: "all", unit: "MB", better: "lower", bars },
      { name: "manager", title: "manager", unit: "MB", better: "lower" },
      { name: "instance", title: "an instance", unit: "MB", better: "lower" },
    ],
    setup: { app: "fastify", protocol: "http", instances },
    tools: when === "idle" ? [] : ["wrk"],
    rounds: "some",
    warm: when === "loaded",
    async measure({ url, pids }, { seconds }) {
      if (when === "idle") await pause(SETTLE_MS);
      else await wrk(surroundings.processes, { url, seconds, connections: 64 });
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
