import { array, assert, nat, property, string } from "fast-check";
import { describe, expect, it } from "vitest";
import type { Segment } from "../../../src/logs/encode/segment.ts";
import { LogTail } from "../../../src/logs/tail.ts";

function segment(text: string): Segment {
  return { bytes: Buffer.from(text), isError: false, instance: 0, isOwn: false };
}

describe("LogTail", () => {
  it("has the last lines, as many as are asked for and there are", () => {
    const tail = new LogTail(100);
    expect(tail.last(5).toString()).toBe("");
    tail.take([segment("one\ntwo\n"), segment("three\n")]);
    expect(["0", "1", "2", "9"].map((count) => tail.last(Number(count)).toString())).toEqual([
      "",
      "three\n",
      "two\nthree\n",
      "one\ntwo\nthree\n",
    ]);
  });

  it("has whole lines only, the newest, whatever their lengths", () => {
    const texts = array(string({ unit: "grapheme-ascii", maxLength: 30 }), { minLength: 1, maxLength: 40 });
    assert(
      property(texts, nat(50), (lines, count) => {
        const tail = new LogTail(64);
        const all = lines.map((line) => `${line.replaceAll("\n", "")}\n`);
        for (const line of all) tail.take([segment(line)]);
        const last = tail.last(count).toString();
        const found = last === "" ? [] : last.slice(0, -1).split("\n");
        expect(found.length).toBeLessThanOrEqual(count);
        expect(all.slice(all.length - found.length).join("")).toBe(last);
      }),
    );
  });

  it("keeps no more than its size of a line that is longer", () => {
    const tail = new LogTail(10);
    tail.take([segment(`${"x".repeat(50)}\n`), segment("ab\n")]);
    expect(tail.last(10).toString()).toBe("ab\n");
  });

  it("gives those who follow copies of what is written, until they have enough", () => {
    const tail = new LogTail(100);
    const seen: [string, number][] = [];
    const bytes = Buffer.from("one\ntwo\n");
    const kept: Buffer[] = [];
    const stop = tail.follow((copy, count) => {
      kept.push(copy);
      seen.push([copy.toString(), count()]);
    });
    tail.take([{ bytes, isError: false, instance: 0, isOwn: false }]);
    bytes.fill(0);
    stop();
    tail.take([segment("three\n")]);
    expect(seen).toEqual([["one\ntwo\n", 2]]);
    expect(kept[0]?.toString()).toBe("one\ntwo\n");
  });
});
