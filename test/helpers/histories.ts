/** How many random histories a property test runs, and which one when a failure is to be seen again. */
import type { Parameters } from "fast-check";

/** TEST_SEED and TEST_PATH, which a failure prints, run that history alone. */
export function historyOptions<T>(numRuns: number): Parameters<T> {
  const { TEST_SEED: seed, TEST_PATH: path } = process.env;
  if (seed === undefined) return { numRuns };
  return { numRuns, seed: Number(seed), ...(path === undefined ? {} : { path, endOnFailure: true }) };
}
