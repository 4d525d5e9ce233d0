/** Figures as people read them, the same in every form of the report. */
import type { MetricResult, Verdict } from "../results.ts";

/** `12 340 (11 900–12 800)`: the median, the lowest and the highest round; empty where there is nothing. */
export function spanText(metric: MetricResult, contestant: string): string {
  const summary = metric.of[contestant];
  if (summary === undefined) return "";
  const { median, min, max } = summary;
  return min === max ? formatNumber(median) : `${formatNumber(median)} (${formatNumber(min)}–${formatNumber(max)})`;
}

export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US").replaceAll(",", " ");
  return Math.abs(value) >= 10 ? value.toFixed(1).replace(/\.0$/, "") : String(Number(value.toFixed(2)));
}

/** What is judged, what it is, what it must be. */
export function verdictText({ row, metric, peer, ratio, atLeast, atMost }: Verdict): [string, string, string] {
  return [
    `${row}, ${metric}`,
    `×${ratio.toFixed(3)} of ${peer}`,
    atLeast === undefined ? `at most ×${atMost}` : `at least ×${atLeast}`,
  ];
}
