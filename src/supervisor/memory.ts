/**
 * What the system says of memory: how much there is for this service, and how often the kernel killed a process for want of it.
 * Runs in the supervisor.
 */
import os from "node:os";
import { controlGroups, readText, type ReadText } from "../control-groups.ts";
import { groupMemoryLimit } from "./heap-share.ts";
import type { ResolvedOptions } from "../options/table.ts";

/** How many processes of this control group the kernel has killed for want of memory; undefined where nobody counts. */
export function countOomKills(read: ReadText = readText): number | undefined {
  for (const { version, directory } of controlGroups("memory", read)) {
    const text = read(`${directory}/${version === 2 ? "memory.events" : "memory.oom_control"}`) ?? "";
    const count = /^oom_kill (\d+)$/m.exec(text)?.[1];
    if (count !== undefined) return Number(count);
  }
  return undefined;
}

/** The value of --max-memory in bytes. */
export function memoryLimit(
  value: ResolvedOptions["maxMemory"],
  available: number = availableMemory(),
): number | undefined {
  return typeof value === "string" ? Math.round((Number.parseFloat(value) / 100) * available) : value;
}

/** The control group's limit; without one, or with one that is more than there is, the machine's memory. */
function availableMemory(): number {
  return Math.min(groupMemoryLimit() ?? Infinity, os.totalmem());
}
