/**
 * The names of a log file's rotated siblings: `app.log` becomes `app.2026-11-22T17-25-44.123Z.log`, and `….log.gz` once it is
 * compressed. In UTC and growing always, so that names sort as the files were written. Runs in the supervisor; pure.
 */
import path from "node:path";

/** A rotated file's name, taken apart. */
export interface RotatedName {
  readonly name: string;
  /** When it was rotated, in milliseconds since the epoch: unique among its siblings. */
  readonly stamp: number;
  readonly isCompressed: boolean;
}

const STAMP = String.raw`(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d\.\d{3}Z)`;

/** The name that a file takes when it is rotated. */
export function rotatedName(file: string, stamp: number): string {
  const { name, ext } = path.parse(file);
  return `${name}.${new Date(stamp).toISOString().replaceAll(":", "-")}${ext}`;
}

/** The name under which a rotated file is compressed, until it has taken its place. */
export function unfinishedName(rotated: string): string {
  return `${rotated}.gz.tmp`;
}

/** Finds a file's rotated siblings among the names of its folder, oldest first. */
export function rotatedSiblings(file: string, names: readonly string[]): RotatedName[] {
  const pattern = siblingPattern(file, "(\\.gz)?");
  const found: RotatedName[] = [];
  for (const name of names) {
    const [, date, hours, minutes, seconds, compressed] = pattern.exec(name) ?? [];
    const stamp = Date.parse(`${date}T${hours}:${minutes}:${seconds}`);
    if (!Number.isNaN(stamp)) found.push({ name, stamp, isCompressed: compressed !== undefined });
  }
  return found.sort((a, b) => a.stamp - b.stamp);
}

/** Finds what a supervisor left that ended while it compressed. */
export function unfinishedSiblings(file: string, names: readonly string[]): string[] {
  const pattern = siblingPattern(file, String.raw`\.gz\.tmp`);
  return names.filter((name) => pattern.test(name));
}

/** The stamp of the next rotation: now, but after the newest sibling's however wrong the clock was or is. */
export function nextStamp(now: number, newest: number | undefined): number {
  return newest === undefined ? now : Math.max(now, newest + 1);
}

/** Puts a program's name and an instance's number into a file's name as given on the command line. */
export function fileNameFor(pattern: string, values: { readonly name: string; readonly instance: string }): string {
  return pattern.replaceAll(/%(name|instance|%)/g, (_all, word: string) => {
    if (word === "%") return "%";
    return word === "name" ? values.name : values.instance;
  });
}

/** Whether a file's name is another one for each instance. */
export function isPerInstance(pattern: string): boolean {
  return /(?<!%)(?:%%)*%instance/.test(pattern);
}

function siblingPattern(file: string, end: string): RegExp {
  const { name, ext } = path.parse(file);
  return new RegExp(`^${escapeRegExp(name)}\\.${STAMP}${escapeRegExp(ext)}${end}$`);
}

function escapeRegExp(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
