/** Durations and sizes as people write them: `500ms`, `10s`, `100MB`, `64KiB`. Used in the supervisor only; a leaf. */

/** What a quantity is counted in, from the smallest unit up. */
export interface Units {
  readonly factors: readonly (readonly [unit: string, factor: number])[];
  /** Whether `mb` is read as `MB`. Not for times, where M is no minute. */
  readonly anyCase: boolean;
  /** The two units that a number without one is most likely meant in. */
  readonly likely: readonly [string, string];
  /** For messages. */
  readonly examples: readonly string[];
}

export const DURATION: Units = {
  factors: [
    ["ms", 1],
    ["s", 1000],
    ["m", 60_000],
    ["h", 3_600_000],
    ["d", 86_400_000],
  ],
  anyCase: false,
  likely: ["s", "ms"],
  examples: ["500ms", "10s", "5m", "2h", "1d"],
};

/** Units without an i are powers of 1000, as the SI has them; those with an i are powers of 1024 (IEC 80000-13). */
export const SIZE: Units = {
  factors: [
    ["B", 1],
    ["kB", 1000],
    ["KiB", 1024],
    ["MB", 1000 ** 2],
    ["MiB", 1024 ** 2],
    ["GB", 1000 ** 3],
    ["GiB", 1024 ** 3],
  ],
  anyCase: true,
  likely: ["MB", "kB"],
  examples: ["64kB", "100MB", "1GiB"],
};

/** Reads a quantity in its smallest unit; undefined when the text is none, has no unit, or does not come to a whole number. */
export function parseQuantity(text: string, units: Units): number | undefined {
  const [, digits, unit] = /^(\d+(?:\.\d+)?) ?([A-Za-z]+)$/.exec(text) ?? [];
  if (digits === undefined || unit === undefined) return undefined;
  const same = (known: string) => known === unit || (units.anyCase && known.toLowerCase() === unit.toLowerCase());
  const factor = units.factors.find(([known]) => same(known))?.[1];
  if (factor === undefined) return undefined;
  const exact = Number(digits) * factor;
  // 1.005s is 1004.9999999999999 ms in binary, and meant as 1005.
  const whole = Math.round(exact);
  return Math.abs(exact - whole) < 1e-6 && Number.isSafeInteger(whole) ? whole : undefined;
}

/** Writes a quantity with the largest unit that keeps it whole: 90000 is `90s`, 120000 is `2m`. */
export function formatQuantity(value: number, units: Units): string {
  const [smallest] = units.factors;
  const fitting = value === 0 ? smallest : units.factors.findLast(([, factor]) => value % factor === 0);
  const [unit, factor] = fitting ?? ["", 1];
  return `${value / factor}${unit}`;
}

/** Says what to write in place of a number without a unit; undefined for any other text. */
export function adviseUnit(text: string, units: Units): string | undefined {
  if (!/^\d+(?:\.\d+)?$/.test(text)) return undefined;
  return `write ${text}${units.likely[0]} or ${text}${units.likely[1]}`;
}
