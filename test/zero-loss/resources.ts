/** What a program holds at a moment, read from /proc: Linux only. Runs in the test's process. */
import { readdirSync, readFileSync } from "node:fs";

export interface Sample {
  /** MB. */
  readonly supervisorRss: number;
  readonly supervisorFds: number;
  readonly supervisorThreads: number;
  /** Processes that it started and has not taken leave of, zombies too. */
  readonly supervisorChildren: number;
  /** Means of the instances; an instance's descriptors are its connections, for the most part. */
  readonly instanceRss: number;
  readonly instanceFds: number;
}

/** Looks at a supervisor and its instances. */
export function sampleOf(supervisor: number, instances: readonly number[]): Sample {
  const mean = (of: (pid: number) => number): number =>
    Math.round(instances.reduce((sum, pid) => sum + of(pid), 0) / instances.length);
  return {
    supervisorRss: rss(supervisor),
    supervisorFds: descriptors(supervisor),
    supervisorThreads: readdirSync(`/proc/${supervisor}/task`).length,
    supervisorChildren: children(supervisor),
    instanceRss: mean(rss),
    instanceFds: mean(descriptors),
  };
}

/** How many descriptors a process has open. */
export function descriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function children(pid: number): number {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).length;
}

function rss(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Math.round(Number(kilobytes) / 1024);
}
