/** Compares what log files hold with what the writers of `writes-numbers.mjs` say that they have written. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";

/** What is wrong with a log, in a few words each; empty when every line is there once, whole and in order. */
export interface Verdict {
  readonly faults: string[];
  readonly lines: number;
  readonly files: number;
  readonly compressed: number;
  /** Writers that were found in the log. */
  readonly writers: number;
}

const LINE = /#(\d+)\.([oe])\.(\d+)\.(x*)\.end#/;
/** The supervisor's events may quote lines. */
const EVENT = /^\{"level":\d+,"time":\d+,"event":/;
/** What is left of a line whose writer was killed while it wrote. */
const MARKS = / \[line not finished\]|"partial":true/;

/** Lines of one writer that follow each other in one file. */
interface Range {
  readonly file: string;
  readonly from: number;
  until: number;
}

/** Judges all files in a folder whose names begin with one of the given; each beginning is a log of its own. */
export function judgeLogs(folder: string, stems: readonly string[], progress: string): Verdict {
  const faults: string[] = [];
  const ranges = new Map<string, Range[]>();
  let lines = 0;
  let files = 0;
  let compressed = 0;
  for (const stem of stems) {
    for (const name of logNames(folder, stem)) {
      files += 1;
      const { text, isCompressed } = contentOf(path.join(folder, name));
      if (isCompressed) compressed += 1;
      if (text !== "" && !text.endsWith("\n")) faults.push(`${name} ends with half a line`);
      for (const line of text.split("\n").slice(0, -1)) lines += judgeLine(line, name, { faults, ranges });
    }
  }
  for (const [writer, found] of ranges) faults.push(...judgeOrder(writer, found));
  let writers = 0;
  for (const name of readdirSync(progress)) {
    const bytes = readFileSync(path.join(progress, name));
    // Killed before its first line.
    const written = bytes.length === 4 ? bytes.readUInt32LE() : 0;
    const found = (ranges.get(name) ?? []).reduce((most, { until }) => Math.max(most, until), 0);
    if (found > 0) writers += 1;
    // The one more was written right before the kill, and not noted any more.
    if (found < written || found > written + 1) faults.push(`${name}: wrote ${written} lines, ${found} are there`);
  }
  return { faults, lines, files, compressed, writers };
}

/** All numbers once; and in the order of the files, but for those that the test renamed: it cannot know what name is due. */
function judgeOrder(writer: string, ranges: readonly Range[]): string[] {
  const byNumber = ranges.toSorted((a, b) => a.from - b.from);
  let next = 0;
  for (const { file, from, until } of byNumber) {
    if (from !== next) return [`${writer}: line ${from} in ${file} where ${next} was due`];
    next = until;
  }
  const named = (range: Range): boolean => !range.file.includes("-moved");
  const inOrder = byNumber.filter(named);
  const wrong = ranges.filter(named).find((range, n) => range !== inOrder[n]);
  return wrong === undefined ? [] : [`${writer}: line ${wrong.from} in ${wrong.file} is out of order`];
}

/** In the order in which they were written: rotated ones sort by name, logrotate's by falling number, the one without either is the last. */
function logNames(folder: string, stem: string): string[] {
  const names = readdirSync(folder).filter((name) => name.startsWith(`${stem}.`) && !name.endsWith(".tmp"));
  const numberOf = (name: string): number => Number(/\.log\.(\d+)(?:\.gz)?$/.exec(name)?.[1] ?? 0);
  const older = names.filter((name) => name !== `${stem}.log`).sort();
  return [...older.sort((a, b) => numberOf(b) - numberOf(a)), ...names.filter((name) => name === `${stem}.log`)];
}

function contentOf(file: string): { text: string; isCompressed: boolean } {
  const bytes = readFileSync(file);
  const isCompressed = bytes[0] === 0x1f && bytes[1] === 0x8b;
  return { text: (isCompressed ? gunzipSync(bytes) : bytes).toString(), isCompressed };
}

interface Findings {
  readonly faults: string[];
  readonly ranges: Map<string, Range[]>;
}

function judgeLine(line: string, file: string, { faults, ranges }: Findings): number {
  if (EVENT.test(line)) return 0;
  const [, pid, letter, number, filling] = LINE.exec(line) ?? [];
  if (pid === undefined) {
    if (line.includes("#") && !MARKS.test(line)) faults.push(`${file}: torn: ${line.slice(0, 200)}`);
    return 0;
  }
  if (line.split(".end#").length !== 2) faults.push(`${file}: two lines in one: ${line.slice(0, 200)}`);
  const n = Number(number);
  if (filling?.length !== (n % 1000 === 999 ? 5000 : n % 97)) faults.push(`${file}: torn: ${line.slice(0, 200)}`);
  const writer = `${pid}.${letter}`;
  const known = ranges.get(writer) ?? [];
  const last = known.at(-1);
  if (last?.file === file && last.until === n) last.until += 1;
  else known.push({ file, from: n, until: n + 1 });
  ranges.set(writer, known);
  return 1;
}
