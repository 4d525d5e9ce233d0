/**
 * What `auto` stands for: how many instances this machine and its control groups have CPUs for, and how long a queue of
 * connections the kernel allows. Used in the supervisor only.
 */
import os from "node:os";
import path from "node:path";
import { controlGroups, readText, type ReadText } from "../control-groups.ts";

export interface CpuSources {
  readonly availableParallelism: () => number;
  readonly read: ReadText;
}

/** Node's own default, for systems without that file: every kernel cuts what exceeds its limit (128 on macOS). */
const USUAL_BACKLOG = 511;

/**
 * How many instances `--concurrency auto` is: one per CPU that the process may use, at least 1.
 *
 * A quota of 2.5 CPUs counts as 2, as `os.availableParallelism()` itself has it from Node 22 on, so that all versions agree.
 */
export function availableInstances(sources: Partial<CpuSources> = {}): number {
  const { availableParallelism = os.availableParallelism, read = readText } = sources;
  return Math.max(1, Math.floor(Math.min(availableParallelism(), ...cpuQuotas(read))));
}

/** How long a queue of connections `--backlog auto` is: the most that the kernel allows. */
export function systemBacklog(read: ReadText = readText): number {
  const limit = Number(read("/proc/sys/net/core/somaxconn") ?? Number.NaN);
  return Number.isSafeInteger(limit) && limit > 0 ? limit : USUAL_BACKLOG;
}

/** Every CPU quota that holds for this process, in CPUs; a group's own quota never exceeds what those above it leave. */
function cpuQuotas(read: ReadText): number[] {
  const quotas: number[] = [];
  for (const { version, mount, directory } of controlGroups("cpu", read)) {
    let group = directory;
    while (group.startsWith(mount)) {
      quotas.push(version === 2 ? quotaV2(group, read) : quotaV1(group, read));
      if (group === mount) break;
      group = path.posix.dirname(group);
    }
  }
  return quotas;
}

function quotaV2(group: string, read: ReadText): number {
  const [quota = "max", period = "100000"] = (read(`${group}/cpu.max`) ?? "").trim().split(" ");
  return cpus(Number(quota), Number(period));
}

function quotaV1(group: string, read: ReadText): number {
  return cpus(Number(read(`${group}/cpu.cfs_quota_us`)), Number(read(`${group}/cpu.cfs_period_us`)));
}

/** No limit is `max` in the one version and -1 in the other; a file that is not there is none either. */
function cpus(quota: number, period: number): number {
  return quota > 0 && period > 0 ? quota / period : Infinity;
}
