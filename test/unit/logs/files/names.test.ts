import { describe, expect, it } from "vitest";
import {
  fileNameFor,
  isPerInstance,
  nextStamp,
  rotatedName,
  rotatedSiblings,
  unfinishedName,
  unfinishedSiblings,
} from "../../../../src/logs/files/names.ts";

const STAMP = Date.UTC(2026, 10, 22, 17, 25, 44, 123);

describe("rotatedName", () => {
  it.each([
    ["/var/log/app.log", "app.2026-11-22T17-25-44.123Z.log"],
    ["/var/log/app", "app.2026-11-22T17-25-44.123Z"],
    ["/var/log/app.v1.json", "app.v1.2026-11-22T17-25-44.123Z.json"],
    ["/var/log/.hidden", ".hidden.2026-11-22T17-25-44.123Z"],
  ])("of %s is %s, and is found again", (file, name) => {
    expect(rotatedName(file, STAMP)).toBe(name);
    expect(rotatedSiblings(file, [name, `${name}.gz`])).toEqual([
      { name, stamp: STAMP, isCompressed: false },
      { name: `${name}.gz`, stamp: STAMP, isCompressed: true },
    ]);
    expect(unfinishedSiblings(file, [name, unfinishedName(name)])).toEqual([unfinishedName(name)]);
  });

  it("sorts as the files were written, whatever the clock did", () => {
    let newest: number | undefined;
    const names = [5000, 5000, 4000, 3_600_000, 0].map((now) => {
      newest = nextStamp(now, newest);
      return rotatedName("/a.log", newest);
    });
    expect(names.toSorted()).toEqual(names);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe("rotatedSiblings", () => {
  it("takes no other file for a sibling", () => {
    const others = [
      "app.log",
      "app.log.1",
      "app.2026-11-22.log",
      "app-2026-11-22T17-25-44.123Z.log",
      "xapp.2026-11-22T17-25-44.123Z.log",
      "app.2026-11-22T17-25-44.123Z.log.bak",
      "app.2026-11-22T17-25-44.123Z.log.gz.tmp",
      "app.2026-13-22T17-25-44.123Z.log",
      "appx2026-11-22T17-25-44.123Z.log",
      "app.2026-11-22T17-25-44.123Zxlog",
    ];
    expect(rotatedSiblings("/var/log/app.log", others)).toEqual([]);
  });
});

describe("fileNameFor", () => {
  it.each([
    ["%name.log", "example.log", false],
    ["%name-%instance.log", "example-3.log", true],
    ["100%%instance.log", "100%instance.log", false],
    ["100%%%instance.log", "100%3.log", true],
  ])("makes of %s %s", (pattern, name, perInstance) => {
    expect(fileNameFor(pattern, { name: "example", instance: "3" })).toBe(name);
    expect(isPerInstance(pattern)).toBe(perInstance);
  });

  it("does not replace twice", () => {
    expect(fileNameFor("%name", { name: "%instance", instance: "3" })).toBe("%instance");
  });
});
