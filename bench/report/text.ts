/** The results as a table for a terminal. */
import type { Report } from "./report.ts";
import type { RowResult, Summary, Verdict } from "../results.ts";
import { spanText, verdictText } from "./numbers.ts";

export function renderText(report: Report): string {
  const { machine, versions, load, rounds, seconds } = report;
  const blocks = report.rows.map((row) => renderRow(row, report.titles));
  const head = [
    `${machine.processor}, ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.system}`,
    Object.entries(versions)
      .map((pair) => pair.join(" "))
      .join(", "),
    `${rounds} rounds, ${seconds} s each; load average ${load.before.toFixed(2)} before, ${load.after.toFixed(2)} after (its own load included)`,
  ].join("\n");
  const missing = Object.entries(report.missing).map(([row, reason]) => `NOT MEASURED: ${row}: ${reason}`);
  return [head, ...blocks, renderVerdicts(report.verdicts), missing.join("\n")].filter(Boolean).join("\n\n");
}

function renderRow(row: RowResult, titles: Readonly<Record<string, string>>): string {
  const header = [
    "",
    ...row.metrics.flatMap(({ title, unit }) => [`${title}${unit === "" ? "" : ` ${unit}`}`, "Choir is"]),
  ];
  const names = [...new Set(row.metrics.flatMap((metric) => Object.keys(metric.of)))];
  const lines = names.map((name) => [
    titles[name] ?? name,
    ...row.metrics.flatMap((metric) => [spanText(metric, name), ratioText(metric.of[name])]),
  ]);
  // A column without a single ratio says nothing.
  const shown = header.map(
    (_, column) => column === 0 || [header, ...lines].slice(1).some((line) => line[column] !== ""),
  );
  const table = [header, ...lines].map((line) => line.filter((_, column) => shown[column]));
  return [`${row.name}: ${row.title}`, ...align(table), ...remarks(row)].join("\n");
}

function ratioText(summary: Summary | undefined): string {
  return summary?.choirRatio === undefined ? "" : `×${summary.choirRatio.toFixed(2)}`;
}

function remarks(row: RowResult): string[] {
  return [
    ...Object.entries(row.failed).map(([name, text]) => `  ${name} FAILED: ${text.split("\n")[0]}`),
    ...Object.entries(row.leftOut).map(([name, text]) => `  without ${name}: ${text}`),
    ...Object.entries(row.notes).map(([name, texts]) => `  ${name}: ${[...new Set(texts)].join("; ")}`),
  ];
}

function renderVerdicts(verdicts: readonly Verdict[]): string {
  if (verdicts.length === 0) return "";
  const lines = verdicts.map((verdict) => [verdict.met ? "  met" : "  MISSED", ...verdictText(verdict)]);
  return ["What Choir must reach", ...align(lines, "left")].join("\n");
}

function align(table: readonly (readonly string[])[], rest: "left" | "right" = "right"): string[] {
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0)));
  return table.map((line) =>
    line
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 || rest === "left" ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  ")
      .trimEnd(),
  );
}
