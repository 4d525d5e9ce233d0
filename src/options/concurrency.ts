/**
 * What `auto` stands for: how many instances this machine and its control groups have CPUs for, and how long a queue of
 * connections the kernel allows. Used in the supervisor only.
 */
import { readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";

/** Reads a whole file as text; undefined when there is none. */
export type ReadText = (file: string) => string | undefined;

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

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** A directory of control groups that limit CPUs, and how its files say so. */
interface Hierarchy {
  /** Where its root is mounted. */
  readonly mount: string;
  /** This process's own group. */
  readonly group: string;
  readonly quota: (group: string, read: ReadText) => number;
}

/** Every CPU quota that holds for this process, in CPUs; a group's own quota never exceeds what those above it leave. */
function cpuQuotas(read: ReadText): number[] {
  const groups = (read("/proc/self/cgroup") ?? "").split("\n");
  const mounts = (read("/proc/self/mountinfo") ?? "").split("\n");
  const quotas: number[] = [];
  for (const line of mounts) {
    const hierarchy = cpuHierarchy(line, groups);
    if (hierarchy === undefined) continue;
    let { group } = hierarchy;
    while (group.startsWith(hierarchy.mount)) {
      quotas.push(hierarchy.quota(group, read));
      if (group === hierarchy.mount) break;
      group = path.posix.dirname(group);
    }
  }
  return quotas;
}

/** Reads a line of /proc/self/mountinfo (proc(5)); undefined when it mounts no control groups of CPUs. */
function cpuHierarchy(mountLine: string, groups: readonly string[]): Hierarchy | undefined {
  const [before = "", after = ""] = mountLine.split(" - ");
  const [, , , root = "", mount = ""] = before.split(" ");
  const [type, , controllers = ""] = after.split(" ");
  if (type === "cgroup2") {
    const own = groups.find((line) => line.startsWith("0::"));
    return own === undefined ? undefined : { mount, group: locate(own, { root, mount }), quota: quotaV2 };
  }
  if (type !== "cgroup" || !controllers.split(",").includes("cpu")) return undefined;
  const own = groups.find((line) => line.split(":")[1]?.split(",").includes("cpu"));
  return own === undefined ? undefined : { mount, group: locate(own, { root, mount }), quota: quotaV1 };
}

/** Where the group of a line of /proc/self/cgroup is in the file system. */
function locate(groupLine: string, { root, mount }: { root: string; mount: string }): string {
  const group = groupLine.split(":").slice(2).join(":");
  const below = path.posix.relative(root, group);
  // A container may see its group's name on the host, which is not below what is mounted in it: that is its group then.
  return below === ".." || below.startsWith("../") ? mount : path.posix.join(mount, below);
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
