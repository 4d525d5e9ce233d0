/** A finished run with all that is needed to read it: what bench/results/latest.json holds. */
import type { Machine } from "../machine.ts";
import type { RowResult, Verdict } from "../results.ts";

export interface Report {
  /** ISO date and time. */
  readonly at: string;
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  readonly rounds: number;
  readonly seconds: number;
  /** Load average of one minute, before the first start and after the last. */
  readonly load: { readonly before: number; readonly after: number };
  /** Contestants' names as they are shown. */
  readonly titles: Readonly<Record<string, string>>;
  /** Rows that could not be measured, and why. */
  readonly missing: Readonly<Record<string, string>>;
  readonly verdicts: readonly Verdict[];
  readonly rows: readonly RowResult[];
}
