/** How full V8's heap is, as V8 itself counts before it gives up: by its old generation. Runs in the instance. */
import { getHeapSpaceStatistics, getHeapStatistics } from "node:v8";
import { nodeFlag } from "../options/environment.ts";

const MIB = 2 ** 20;
/** Semi-spaces of the young generation have at most this by default, by V8's major version: Node 20 and 22, 24, 26. */
const SEMI_SPACE_MIB: Readonly<Record<string, number>> = { "11": 16, "12": 16, "13": 64, "14": 32 };
/** On small machines V8 chooses smaller ones, which it does not tell: they never are more than this share. */
const MOST_YOUNG = 0.2;

/** A function that tells how full the old generation is, from 0 to 1, where V8 ends the process. */
export function heapGauge(): () => number {
  const limit = oldGenerationLimit(getHeapStatistics().heap_size_limit, { flag: nodeFlag, v8: process.versions.v8 });
  return () => {
    let used = 0;
    for (const { space_name: name, space_used_size: size } of getHeapSpaceStatistics()) {
      // What is young is on top of the limit, and mostly garbage.
      if (!name.startsWith("new_") && name !== "read_only_space") used += size;
    }
    return used / limit;
  };
}

export interface HeapSources {
  /** The value of one of Node's flags. */
  readonly flag: (name: string) => string | undefined;
  /** V8's version. */
  readonly v8: string;
}

/** Bytes that the old generation may have: Node only tells the sum of both. */
export function oldGenerationLimit(heapLimit: number, { flag, v8 }: HeapSources): number {
  const old = mebibytes(flag("max-old-space-size"));
  if (old !== undefined) return old;
  const semiSpace = mebibytes(flag("max-semi-space-size"));
  if (semiSpace !== undefined) return heapLimit - 3 * semiSpace;
  const usual = (SEMI_SPACE_MIB[v8.split(".")[0] ?? ""] ?? 32) * MIB;
  return heapLimit - Math.min(3 * usual, MOST_YOUNG * heapLimit);
}

function mebibytes(text: string | undefined): number | undefined {
  const number = Number(text ?? Number.NaN);
  return number > 0 ? number * MIB : undefined;
}
