/**
 * How long requests took, as counts in fixed buckets: cheap to add to, and the counts of several processes are simply added up. Used
 * in the instance, which counts, and in the supervisor, which sums and asks for quantiles. A leaf; pure.
 */

/** Steps of one decade, about a quarter apart: the Renard series R10, which has 1, 2.5 and 5 in it, as people write limits. */
const STEPS = [1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8] as const;

/** Upper bounds of the buckets in milliseconds, inclusive, from 10 µs to 100 s; one more bucket has what took longer. */
export const DURATION_BOUNDS_MS: readonly number[] = [
  ...[-2, -1, 0, 1, 2, 3, 4].flatMap((decade) => STEPS.map((step) => Number((step * 10 ** decade).toPrecision(3)))),
  100_000,
];

/** How many buckets there are. */
export const DURATION_BUCKETS = DURATION_BOUNDS_MS.length + 1;

const BOUNDS = Float64Array.from(DURATION_BOUNDS_MS);

/** The bucket of a duration in milliseconds. */
export function bucketOf(ms: number): number {
  let low = 0;
  let high = BOUNDS.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ms <= (BOUNDS[middle] as number)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * The duration in milliseconds that a share `q` of all requests did not exceed; null when there were none. Right to within a bucket,
 * about a quarter. What took longer than the last bound counts as that.
 */
export function quantile(counts: ArrayLike<number>, q: number): number | null {
  let total = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) total += counts[bucket] ?? 0;
  if (total === 0) return null;
  const rank = Math.max(q * total, Number.MIN_VALUE);
  let below = 0;
  for (let bucket = 0; bucket < BOUNDS.length; bucket++) {
    const count = counts[bucket] ?? 0;
    if (count > 0 && below + count >= rank) return between(bucket, (rank - below) / count);
    below += count;
  }
  return BOUNDS.at(-1) ?? null;
}

/** A place within a bucket: its requests are taken to be spread evenly. */
function between(bucket: number, share: number): number {
  const low = bucket === 0 ? 0 : (BOUNDS[bucket - 1] ?? 0);
  const high = BOUNDS[bucket] ?? low;
  return Number((low + (high - low) * share).toPrecision(3));
}

/** How many requests took no longer than `boundMs`, which must be one of the bounds. */
export function countUpTo(counts: ArrayLike<number>, boundMs: number): number {
  const last = DURATION_BOUNDS_MS.indexOf(boundMs);
  if (last === -1) throw new RangeError(`${boundMs} ms is no bound of a bucket`);
  let count = 0;
  for (let bucket = 0; bucket <= last; bucket++) count += counts[bucket] ?? 0;
  return count;
}
