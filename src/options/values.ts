/**
 * What a value of each kind may be: read from text (flag, environment), checked when given in code, and written for help and
 * docs. Used in the supervisor only. Plain code, not zod: that would cost the supervisor 13 to 19 MB of memory.
 */
import { quote } from "../errors.ts";
import type { Kind, Option, OptionValue } from "./table.ts";
import { adviseUnit, DURATION, formatQuantity, parseQuantity, SIZE, type Units } from "./units.ts";

/** What was wrong with a value. */
export interface Problem {
  /** Goes on after "must be". */
  readonly expected: string;
  /** What to write instead, where that can be told. */
  readonly advice?: string | undefined;
}

/** A value of the right type and within its bounds, or why it is none. */
export type Checked = { readonly value: OptionValue } | Problem;

interface KindRules {
  parse(text: string, spec: Option): Checked;
  check(value: unknown, spec: Option): Checked;
  format(value: OptionValue): string;
}

/** Reads an option's value from a flag or the environment. */
export function parseText(spec: Option, text: string): Checked {
  return RULES[spec.kind].parse(text, spec);
}

/** Checks an option's value that was given in code. */
export function checkValue(spec: Option, value: unknown): Checked {
  return RULES[spec.kind].check(value, spec);
}

/** Writes a value as the command line takes it. */
export function formatValue(spec: Option, value: OptionValue): string {
  return RULES[spec.kind].format(value);
}

/** Renders a value given in code for a message, so that `"80"` and `80` are told apart. */
export function quoteCode(value: unknown): string {
  return typeof value === "string" ? `the string ${quote(value)}` : quote(value);
}

const RULES: Record<Kind, KindRules> = {
  boolean: {
    parse: (text) => parseBoolean(text) ?? { expected: "true or false (1 or 0, yes or no)" },
    check: (value) => (typeof value === "boolean" ? { value } : { expected: "true or false" }),
    format: String,
  },
  string: { parse: checkString, check: checkString, format: String },
  integer: {
    parse: (text, spec) => checkInteger(parseDigits(text), spec),
    check: checkInteger,
    format: String,
  },
  duration: quantityRules("time", "milliseconds", DURATION),
  size: quantityRules("size", "bytes", SIZE),
  memory: {
    parse: (text, spec) => parseShare(text) ?? orShare(quantityRules("size", "bytes", SIZE).parse(text, spec)),
    check: (value, spec) =>
      (typeof value === "string" ? parseShare(value) : undefined) ??
      orShare(quantityRules("size", "bytes", SIZE).check(value, spec)),
    format: (value) => (typeof value === "number" ? formatQuantity(value, SIZE) : String(value)),
  },
  count: {
    parse: (text, spec) => checkCount(text === "auto" ? text : parseDigits(text), spec),
    check: checkCount,
    format: String,
  },
  mode: {
    parse: (text) => (/^(?:0o?)?[0-7]{3}$/.test(text) ? { value: parseOctal(text) } : { expected: MODE_TEXT }),
    check: checkMode,
    format: (value) => `0${value.toString(8).padStart(3, "0")}`,
  },
  share: { parse: checkShare, check: checkShare, format: String },
  list: {
    parse: (text) => checkList(text.split(",").map((item) => item.trim())),
    check: checkList,
    format: String,
  },
};

const MODE_TEXT = "an octal file mode such as 0660";

function parseBoolean(text: string): Checked | undefined {
  if (/^(?:true|1|yes)$/i.test(text)) return { value: true };
  if (/^(?:false|0|no)$/i.test(text)) return { value: false };
  return undefined;
}

/** The number, or the text itself, which no check of numbers lets pass. */
function parseDigits(text: string): number | string {
  return /^\d+$/.test(text) ? Number(text) : text;
}

function parseOctal(text: string): number {
  return Number.parseInt(text.replace("0o", ""), 8);
}

function checkString(value: unknown, { choices }: Option): Checked {
  const fits = typeof value === "string" && (choices === undefined ? value !== "" : choices.includes(value));
  return fits ? { value } : { expected: choices === undefined ? "a text that is not empty" : oneOf(choices) };
}

function checkInteger(value: unknown, spec: Option): Checked {
  return isWithin(value, spec) ? { value } : { expected: `a whole number${rangeText(spec, String)}` };
}

function checkCount(value: unknown, spec: Option): Checked {
  if (value === "auto" || isWithin(value, spec)) return { value };
  return { expected: `auto or a whole number${rangeText(spec, String)}` };
}

/** Reads a percentage of the memory there is; undefined when the text has no percent sign. */
function parseShare(text: string): Checked | undefined {
  const [, digits] = /^(\d+(?:\.\d+)?) ?%$/.exec(text) ?? [];
  if (digits === undefined) return text.endsWith("%") ? { expected: SHARE_TEXT } : undefined;
  const share = Number(digits);
  return share > 0 && share <= 100 ? { value: `${share}%` } : { expected: SHARE_TEXT };
}

const SHARE_TEXT = "a percentage from 1% to 100%";

function orShare(checked: Checked): Checked {
  return "value" in checked ? checked : { ...checked, expected: `${checked.expected}, or a percentage such as 25%` };
}

function checkMode(value: unknown): Checked {
  if (isWithin(value, { min: 0, max: 0o777 })) return { value };
  // 660 is 0o1224: what was meant are its digits, read as octal ones.
  const advice = typeof value === "number" && /^[0-7]{3}$/.test(String(value)) ? `write 0o${value}` : undefined;
  return { expected: "a file mode from 0o000 to 0o777", advice };
}

function checkShare(value: unknown): Checked {
  if (typeof value === "string" && /^0*[1-9]\d{0,5}$/.test(value)) return { value };
  if (typeof value === "string" && /^(?:100|0*[1-9]\d?)%$/.test(value)) return { value };
  const advice = typeof value === "number" ? `write ${quote(String(value))}` : undefined;
  return { expected: "a whole number of at least 1 or a percentage from 1% to 100%", advice };
}

function checkList(value: unknown): Checked {
  const isText = (item: unknown): item is string => typeof item === "string" && item !== "";
  if (Array.isArray(value) && value.length > 0 && value.every(isText)) return { value };
  const advice = typeof value === "string" && value !== "" ? `write [${quote(value)}]` : undefined;
  return { expected: "a list of texts of which none is empty", advice };
}

function quantityRules(noun: string, smallest: string, units: Units): KindRules {
  const format = (value: number) => formatQuantity(value, units);
  return {
    parse(text, spec) {
      const value = parseQuantity(text, units);
      if (value === undefined) {
        return {
          expected: `a ${noun} with its unit, such as ${oneOf(units.examples)}`,
          advice: adviseUnit(text, units),
        };
      }
      return isWithin(value, spec) ? { value } : { expected: `a ${noun}${rangeText(spec, format)}` };
    },
    check(value, spec) {
      if (isWithin(value, spec)) return { value };
      const meant = typeof value === "string" ? parseQuantity(value, units) : undefined;
      const advice = meant === undefined ? undefined : `write ${meant}`;
      return { expected: `a whole number of ${smallest}${rangeText(spec, String)}`, advice };
    },
    format: (value) => format(Number(value)),
  };
}

function isWithin(
  value: unknown,
  {
    min = 0,
    max = Number.MAX_SAFE_INTEGER,
    orZero = false,
  }: Pick<Option, "min" | "max"> & { readonly orZero?: boolean },
): value is number {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) return false;
  return (value >= min && value <= max) || (orZero && value === 0);
}

function rangeText({ min = 0, max, orZero }: Option, format: (value: number) => string): string {
  const range = max === undefined ? ` of at least ${format(min)}` : ` from ${format(min)} to ${format(max)}`;
  return orZero ? `${range}, or ${format(0)}` : range;
}

function oneOf(choices: readonly string[]): string {
  return choices.length < 2 ? choices.join("") : `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`;
}
