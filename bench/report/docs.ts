/** The tables of docs/benchmarks.md: between two markers, everything else there is written by hand. */
import type { MetricResult, RowResult } from "../results.ts";
import { formatNumber, spanText, verdictText } from "./numbers.ts";
import type { Report } from "./report.ts";

const BEGIN = "<!-- tables: written by npm run bench -->";
const END = "<!-- end of tables -->";

/** The page with new tables. */
export function withTables(page: string, report: Report): string {
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`docs/benchmarks.md has lost its marker ${BEGIN}`);
  return `${before}${BEGIN}\n\n${renderTables(report)}\n\n${END}${after}`;
}

function renderTables(report: Report): string {
  const { at, machine, versions, rounds, seconds, load } = report;
  const head = [
    `Measured on ${at.slice(0, 10)}: ${machine.processor}, ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.system};`,
    `${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ")}.`,
    `${rounds} rounds, ${seconds} s each; load average before the start ${load.before.toFixed(2)}.`,
  ].join("\n");
  return [head, verdicts(report), ...report.rows.map((row) => renderRow(row, report.titles))].join("\n\n");
}

function verdicts({ verdicts: all }: Report): string {
  const lines = all.map((verdict) => {
    const [what, ratio, bar] = verdictText(verdict);
    return `| ${what} | ${ratio} | ${bar} | ${verdict.met ? "met" : "**missed**"} |`;
  });
  return ["| Choir must reach | is | must be | |", "|---|---|---|---|", ...lines].join("\n");
}

function renderRow(row: RowResult, titles: Readonly<Record<string, string>>): string {
  const names = [...new Set(row.metrics.flatMap((metric) => Object.keys(metric.of)))];
  const header = ["", ...row.metrics.map(({ title, unit }) => `${title} ${unit}`.trim()), "Choir is"];
  const [first] = row.metrics;
  const lines = names.map((name) => {
    const cells = row.metrics.map((metric) => spanText(metric, name));
    return `| ${[titles[name] ?? name, ...cells, ratio(first, name)].join(" | ")} |`;
  });
  const table = [`| ${header.join(" | ")} |`, `|${"---|".repeat(header.length)}`, ...lines].join("\n");
  return [`### ${row.title}`, `\`${row.name}\`: ${row.how}`, table, ...remarks(row, titles)].join("\n\n");
}

function ratio(metric: MetricResult | undefined, name: string): string {
  const value = metric?.of[name]?.choirRatio;
  return value === undefined ? "" : `×${formatNumber(value)}`;
}

function remarks({ leftOut, failed, notes }: RowResult, titles: Readonly<Record<string, string>>): string[] {
  const title = (name: string): string => titles[name] ?? name;
  const texts = [
    ...Object.entries(failed).map(([name, text]) => `${title(name)} failed: ${text.split("\n")[0]}.`),
    ...Object.entries(leftOut).map(([name, text]) => `Without ${title(name)}: ${text}.`),
    ...Object.entries(notes).map(([name, all]) => `${title(name)}: ${[...new Set(all)].join("; ")}.`),
  ];
  return texts.length === 0 ? [] : [texts.join(" ")];
}
