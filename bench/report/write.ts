/** Puts a report where people look for it. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { ROOT } from "../serving.ts";
import { withTables } from "./docs.ts";
import type { Report } from "./report.ts";
import { renderSvg } from "./svg.ts";
import { renderText } from "./text.ts";

const PAGE = path.join(ROOT, "docs/benchmarks.md");
const RESULTS = path.join(ROOT, "bench/results");

/** Of a run of everything: replaces what is published. */
export function writeResults(report: Report): void {
  write("latest.json", toJson(report));
  write("latest.txt", `${renderText(report)}\n`);
  writeFileSync(path.join(ROOT, "docs/benchmarks.svg"), renderSvg(report));
  writeFileSync(PAGE, withTables(readFileSync(PAGE, "utf8"), report));
}

/** Of a run of a part: for the person who asked for it, and in no commit. */
export function writeLastRun(report: Report): void {
  write("last-run.json", toJson(report));
}

function write(file: string, text: string): void {
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(path.join(RESULTS, file), text);
}

function toJson(report: Report): string {
  // Five digits are more than any measurement here has.
  const rounded = (_: string, value: unknown): unknown =>
    typeof value === "number" ? Number(value.toPrecision(5)) : value;
  return `${JSON.stringify(report, rounded, 2)}\n`;
}
