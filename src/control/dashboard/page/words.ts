/** Figures as a person reads them. Runs in the browser; pure. */
import { describeDuration } from "../../../describe-event.ts";

/** What stands where nothing is known. */
export const NOTHING = "–";

/** `812`, `0.4`, `14,546`. */
export function rate(perSecond: number): string {
  return perSecond > 0 && perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond).toLocaleString("en-US");
}

/** `0.42 ms`, `23.1 ms`, `840 ms`, `1.2 s`. */
export function delay(ms: number | null): string {
  if (ms === null) return NOTHING;
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  return ms < 100 ? `${Number(ms.toFixed(1))} ms` : describeDuration(ms);
}

/** `58 MB`, `1.2 GB`: powers of 1000, as --max-memory takes them. */
export function bytes(count: number): string {
  return count < 1e9 ? `${Math.round(count / 1e6)} MB` : `${(count / 1e9).toFixed(1)} GB`;
}

/** `36 %`. */
export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** `34 s ago`, `2 min ago`: nobody needs a tenth of a second here. */
export function ago(ms: number): string {
  return ms < 1500 ? "just now" : `${roughly(ms)} ago`;
}

/** `34 s`, `4 min`, `2 h 5 min`. */
export function roughly(ms: number): string {
  if (ms < 60_000) return `${Math.max(0, Math.round(ms / 1000))} s`;
  return ms < 3_600_000 ? `${Math.round(ms / 60_000)} min` : describeDuration(ms);
}

/** `1 instance`, `4 instances`. */
export function count(amount: number, noun: string): string {
  return `${amount.toLocaleString("en-US")} ${noun}${amount === 1 ? "" : "s"}`;
}

/** The time of day, to the second. */
export function clockTime(at: number): string {
  return new Date(at).toLocaleTimeString("en-GB", { hour12: false });
}
