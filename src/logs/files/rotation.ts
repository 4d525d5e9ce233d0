/** When a log file is rotated and which rotated ones are deleted. Runs in the supervisor; pure: time and files are arguments. */

/** Milliseconds that local time is ahead of UTC at an instant. */
export type OffsetAt = (time: number) => number;

export const UTC: OffsetAt = () => 0;

/** The process's time zone. */
export const LOCAL: OffsetAt = (time) => -new Date(time).getTimezoneOffset() * 60_000;

const DAY = 86_400_000;
/** The first Monday after the epoch: weeks begin on it. */
const MONDAY = 4 * DAY;

/**
 * The next instant after `now` at which the wall clock shows a multiple of `every`: midnight for a day, full hours for an hour, Monday
 * for a week. Across daylight saving a day is as long as the clock makes it.
 */
export function nextBoundary(now: number, every: number, offsetAt: OffsetAt): number {
  const origin = every % (7 * DAY) === 0 ? MONDAY : 0;
  const wall = now + offsetAt(now) - origin;
  const candidate = now + every - modulo(wall, every);
  if (modulo(candidate + offsetAt(candidate) - origin, every) === 0) return candidate;
  // The clock is put forward or back on the way: the boundary is where the new time shows it, if that comes at all.
  const corrected = candidate + offsetAt(now) - offsetAt(candidate);
  return corrected > now && offsetAt(corrected) === offsetAt(candidate) ? corrected : candidate;
}

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by;
}

/** What is kept of rotated files; undefined is no limit. */
export interface KeepLimits {
  readonly files: number | undefined;
  /** Milliseconds. */
  readonly age: number | undefined;
  /** Bytes of all rotated files and the one that is written. */
  readonly totalSize: number | undefined;
}

/** A rotated file, to be judged. */
export interface KeptFile {
  readonly name: string;
  /** When it was rotated, in milliseconds since the epoch. */
  readonly stamp: number;
  readonly size: number;
}

/** Names those to delete. `files` are the oldest first; `reserved` bytes are the written file's, or what it may become. */
export function expired(
  files: readonly KeptFile[],
  limits: KeepLimits,
  { now, reserved }: { readonly now: number; readonly reserved: number },
): string[] {
  const { files: most = Infinity, age = Infinity, totalSize = Infinity } = limits;
  let count = 0;
  let size = reserved;
  return files
    .toReversed()
    .filter((file) => {
      count += 1;
      size += file.size;
      return count > most || size > totalSize || now - file.stamp > age;
    })
    .map(({ name }) => name)
    .toReversed();
}

/** How many of the first bytes of `bytes` fit into a file that may grow by `room`: whole lines, 0 when not even the first does. */
export function wholeLinesWithin(bytes: Buffer, room: number): number {
  if (bytes.length <= room) return bytes.length;
  return room <= 0 ? 0 : bytes.lastIndexOf(0x0a, room - 1) + 1;
}
