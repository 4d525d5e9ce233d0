/**
 * How large the JavaScript heap of each instance may grow where a control group limits the memory of all: left to itself, V8 takes the
 * whole limit for its own. Runs in the supervisor.
 */
import path from "node:path";
import type { ChoirEvent } from "../events.ts";
import { controlGroups, readText, type ReadText } from "../control-groups.ts";
import { surgeOf } from "./rollout.ts";

const MIB = 2 ** 20;
/** What the supervisor has. */
const SUPERVISOR_BYTES = 64 * MIB;
/** The rest of an instance's share is for code, buffers, young objects and stacks. */
const HEAP_OF_SHARE = 0.75;
/** An app does not start with less. */
const LEAST_MIB = 64;
/** A limit that is none: version 1 writes the largest multiple of a page. */
const NO_LIMIT = 2 ** 60;

/** The flags with which somebody has decided already. */
const HEAP_FLAG = /^--max[-_](?:old[-_]space[-_]size(?:[-_]percentage)?|heap[-_]size)(?:=|$)/;

/** The memory that this process's control group, and those above it, leave it, in bytes; undefined without a limit. */
export function groupMemoryLimit(read: ReadText = readText): number | undefined {
  const limits: number[] = [];
  for (const { version, mount, directory } of controlGroups("memory", read)) {
    const file = version === 2 ? "memory.max" : "memory.limit_in_bytes";
    let group = directory;
    while (group.startsWith(mount)) {
      const limit = Number(read(`${group}/${file}`)?.trim() || Number.NaN);
      if (limit > 0 && limit < NO_LIMIT) limits.push(limit);
      if (group === mount) break;
      group = path.posix.dirname(group);
    }
  }
  return limits.length === 0 ? undefined : Math.min(...limits);
}

export interface HeapShare {
  /** The control group's limit in bytes. */
  readonly limit: number;
  readonly instances: number;
  /** How many newcomers a rolling restart has beside them. */
  readonly surge: number;
}

/** The heap limit of one instance in MiB, which is what `--max-old-space-size` takes. */
export function heapShare({ limit, instances, surge }: HeapShare): number {
  // A newcomer is small when it begins, and the one that it replaces goes: half of the surge is there at its fullest.
  const share = (limit - SUPERVISOR_BYTES) / (instances + surge / 2);
  return Math.max(LEAST_MIB, Math.floor((share * HEAP_OF_SHARE) / MIB));
}

export interface HeapSharesSetup {
  /** Undefined where V8's own choice is to stand. */
  readonly limit: number | undefined;
  /** What --max-surge says. */
  readonly maxSurge: string;
}

/** What the heap of one among so many instances may have, in MiB; says so at first and whenever their number has changed it. */
export function heapShares(
  { limit, maxSurge }: HeapSharesSetup,
  emit: (event: ChoirEvent) => void,
): (instances: number) => number | undefined {
  let said: number | undefined;
  return (instances) => {
    if (limit === undefined) return undefined;
    const heapMiB = heapShare({ limit, instances, surge: surgeOf(maxSurge, instances) });
    if (heapMiB !== said) emit({ event: "heap-shared", heapMiB, limitBytes: limit, isNew: said !== undefined });
    said = heapMiB;
    return heapMiB;
  };
}

/** Whether node's own flags or NODE_OPTIONS say how large the heap may be. */
export function isHeapGiven(execArgv: readonly string[], nodeOptions: string | undefined): boolean {
  return [...execArgv, ...(nodeOptions ?? "").split(/\s+/)].some((flag) => HEAP_FLAG.test(flag));
}
