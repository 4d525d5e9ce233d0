// Texts and code values of every kind: what is taken, and what is said of the rest.
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Kind, Option } from "../../../src/options/table.ts";
import { DURATION, formatQuantity, parseQuantity, SIZE } from "../../../src/options/units.ts";
import { checkValue, formatValue, parseText, quoteCode } from "../../../src/options/values.ts";

function spec(kind: Kind, more: Partial<Option> = {}): Option {
  return { kind, group: "general", help: "For tests", default: undefined, ...more };
}

const port = spec("integer", { min: 0, max: 65_535 });
const count = spec("count", { min: 1, max: 1024 });
const choice = spec("string", { choices: ["auto", "pretty", "json"] });

describe("texts that are taken", () => {
  it.each<[Option, string, unknown]>([
    [spec("boolean"), "true", true],
    [spec("boolean"), "YES", true],
    [spec("boolean"), "1", true],
    [spec("boolean"), "no", false],
    [spec("boolean"), "0", false],
    [spec("boolean"), "False", false],
    [spec("string"), "text", "text"],
    [choice, "json", "json"],
    [port, "0", 0],
    [port, "65535", 65_535],
    [spec("duration"), "500ms", 500],
    [spec("duration"), "10s", 10_000],
    [spec("duration"), "1.005s", 1005],
    [spec("duration"), "5m", 300_000],
    [spec("duration"), "2h", 7_200_000],
    [spec("duration"), "1 d", 86_400_000],
    [spec("duration"), "0s", 0],
    [spec("duration", { min: 500, orZero: true }), "0s", 0],
    [spec("duration", { min: 500, orZero: true }), "500ms", 500],
    [spec("size"), "512B", 512],
    [spec("size"), "64kB", 64_000],
    [spec("size"), "64KB", 64_000],
    [spec("size"), "100mb", 100_000_000],
    [spec("size"), "1.5GB", 1_500_000_000],
    [spec("size"), "64KiB", 65_536],
    [spec("size"), "1MiB", 1_048_576],
    [spec("size"), "2GiB", 2_147_483_648],
    [spec("memory"), "512MB", 512_000_000],
    [spec("memory"), "25%", "25%"],
    [spec("memory"), "0.5 %", "0.5%"],
    [spec("memory"), "100%", "100%"],
    [count, "auto", "auto"],
    [count, "1024", 1024],
    [spec("mode"), "0660", 0o660],
    [spec("mode"), "600", 0o600],
    [spec("mode"), "0o777", 0o777],
    [spec("list"), "::1", ["::1"]],
    [spec("list"), "127.0.0.1, ::1", ["127.0.0.1", "::1"]],
  ])("%#: reads $1", (option, text, value) => {
    expect(parseText(option, text)).toEqual({ value });
  });
});

describe("texts that are refused", () => {
  const time = "a time with its unit, such as 500ms, 10s, 5m, 2h or 1d";
  it.each<[Option, string, string, string?]>([
    [spec("boolean"), "maybe", "true or false (1 or 0, yes or no)"],
    [spec("string"), "", "a text that is not empty"],
    [choice, "xml", "auto, pretty or json"],
    [port, "x", "a whole number from 0 to 65535"],
    [port, "", "a whole number from 0 to 65535"],
    [port, "-1", "a whole number from 0 to 65535"],
    [port, "1e3", "a whole number from 0 to 65535"],
    [port, "80.5", "a whole number from 0 to 65535"],
    [port, "65536", "a whole number from 0 to 65535"],
    [spec("integer", { min: 2 }), "1", "a whole number of at least 2"],
    [spec("duration"), "5", time, "write 5s or 5ms"],
    [spec("duration", { min: 500, orZero: true }), "1ms", "a time of at least 500ms, or 0ms"],
    [spec("duration"), "0", time, "write 0s or 0ms"],
    [spec("duration"), "5M", time],
    [spec("duration"), "-5s", time],
    [spec("duration"), "0.5ms", time],
    [spec("duration"), "999999999999999d", time],
    [spec("duration", { min: 1 }), "0s", "a time of at least 1ms"],
    [spec("duration", { min: 1, max: 60_000 }), "2m", "a time from 1ms to 1m"],
    [spec("size"), "100", "a size with its unit, such as 64kB, 100MB or 1GiB", "write 100MB or 100kB"],
    [spec("size"), "100M", "a size with its unit, such as 64kB, 100MB or 1GiB"],
    [spec("size", { max: 1024 }), "1MB", "a size from 0B to 1KiB"],
    [count, "0", "auto or a whole number from 1 to 1024"],
    [count, "Auto", "auto or a whole number from 1 to 1024"],
    [spec("mode"), "888", "an octal file mode such as 0660"],
    [spec("mode"), "1777", "an octal file mode such as 0660"],
    [spec("list"), "", "a list of texts of which none is empty"],
    [spec("list"), "::1,,", "a list of texts of which none is empty"],
  ])("%#: refuses $1", (option, text, expected, advice) => {
    expect(parseText(option, text)).toEqual({ expected, ...(advice !== undefined && { advice }) });
  });
});

describe("values in code", () => {
  it.each<[Option, unknown]>([
    [spec("boolean"), false],
    [spec("string"), "text"],
    [choice, "auto"],
    [port, 0],
    [spec("duration"), 1500],
    [spec("size"), 0],
    [count, "auto"],
    [count, 4],
    [spec("mode"), 0o660],
    [spec("list"), ["::1"]],
  ])("%#: takes $1", (option, value) => {
    expect(checkValue(option, value)).toEqual({ value });
  });

  it.each<[Option, unknown, string, string?]>([
    [spec("boolean"), "yes", "true or false"],
    [spec("string"), 5, "a text that is not empty"],
    [choice, "xml", "auto, pretty or json"],
    [port, "80", "a whole number from 0 to 65535"],
    [port, Number.NaN, "a whole number from 0 to 65535"],
    [port, null, "a whole number from 0 to 65535"],
    [spec("duration"), "5s", "a whole number of milliseconds of at least 0", "write 5000"],
    [spec("duration"), 1.5, "a whole number of milliseconds of at least 0"],
    [spec("duration"), Infinity, "a whole number of milliseconds of at least 0"],
    [spec("size"), "1KiB", "a whole number of bytes of at least 0", "write 1024"],
    [count, 1025, "auto or a whole number from 1 to 1024"],
    [spec("mode"), 660, "a file mode from 0o000 to 0o777", "write 0o660"],
    [spec("mode"), "0660", "a file mode from 0o000 to 0o777"],
    [spec("list"), "::1", "a list of texts of which none is empty", 'write ["::1"]'],
    [spec("list"), [], "a list of texts of which none is empty"],
    [spec("list"), [1], "a list of texts of which none is empty"],
  ])("%#: refuses $1", (option, value, expected, advice) => {
    expect(checkValue(option, value)).toEqual({ expected, ...(advice !== undefined && { advice }) });
  });

  it("tells texts from numbers in a message", () => {
    expect([quoteCode("80"), quoteCode(80)]).toEqual(['the string "80"', "80 (number)"]);
  });
});

it.each([
  [DURATION, 0, "0ms"],
  [DURATION, 90_000, "90s"],
  [DURATION, 120_000, "2m"],
  [DURATION, 1501, "1501ms"],
  [SIZE, 65_536, "64KiB"],
  [SIZE, 100_000_000, "100MB"],
])("writes quantities with the largest unit that fits: %#", (units, value, text) => {
  expect(formatQuantity(value, units)).toBe(text);
});

it("reads every quantity that it writes", () => {
  fc.assert(
    fc.property(fc.constantFrom(DURATION, SIZE), fc.maxSafeNat(), (units, value) => {
      expect(parseQuantity(formatQuantity(value, units), units)).toBe(value);
    }),
  );
});

it("reads every number of a kind that it writes", () => {
  fc.assert(
    fc.property(fc.constantFrom<Kind>("integer", "count", "mode"), fc.nat(0o777), (kind, value) => {
      expect(parseText(spec(kind), formatValue(spec(kind), value))).toEqual({ value });
    }),
  );
});

it("gives a value within the bounds or a problem, whatever the text", () => {
  const kinds = fc.constantFrom<Kind>("integer", "duration", "size", "count");
  fc.assert(
    fc.property(kinds, fc.oneof(fc.string(), fc.stringMatching(/^\d{1,20}[a-zA-Z]{0,3}$/)), (kind, text) => {
      const checked = parseText(spec(kind, { min: 5, max: 5000 }), text);
      if (!("value" in checked) || checked.value === "auto") return;
      expect(checked.value).toBeGreaterThanOrEqual(5);
      expect(checked.value).toBeLessThanOrEqual(5000);
    }),
  );
});
