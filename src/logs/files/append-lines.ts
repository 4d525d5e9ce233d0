/** Writes whole lines at the end of a file, or as many of them as there is room for. Runs in the supervisor. */
import type { OpenFile } from "./disk.ts";

const LF = 0x0a;

/** What was written: whole lines. */
export interface Appended {
  readonly bytes: number;
  /** Why it was not all. */
  readonly error?: unknown;
}

/** Appends lines to a file of `size` bytes. */
export async function appendLines(file: OpenFile, parts: readonly Buffer[], size: number): Promise<Appended> {
  const wanted = lengthOf(parts);
  let written = 0;
  try {
    while (written < wanted) {
      const bytes = await file.append(written === 0 ? parts : [Buffer.concat(parts).subarray(written)]);
      if (bytes === 0) throw new Error("The disk took nothing");
      written += bytes;
    }
    return { bytes: wanted };
  } catch (error) {
    return { bytes: await takeBack(file, { parts, size, written }), error };
  }
}

/** Half a line at the end of a file is removed again: nobody knows when the rest can be written, and into which file. */
async function takeBack(
  file: OpenFile,
  { parts, size, written }: { parts: readonly Buffer[]; size: number; written: number },
): Promise<number> {
  if (written === 0) return 0;
  const whole = Buffer.concat(parts).lastIndexOf(LF, written - 1) + 1;
  if (whole === written) return written;
  const facts = await file.facts().catch(() => undefined);
  // Somebody else writes into it too, or it cannot be cut: then the line is broken there and comes whole once more.
  if (facts?.size === size + written) await file.truncate(size + whole).catch(() => {});
  return whole;
}

function lengthOf(parts: readonly Buffer[]): number {
  let length = 0;
  for (const part of parts) length += part.length;
  return length;
}
