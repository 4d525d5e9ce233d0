import { describe, expect, it } from "vitest";
import { formatJournal } from "../../../../src/logs/format/journal.ts";
import { ofEvent, ofLine } from "../make-records.ts";

describe("formatJournal", () => {
  it.each([
    ['{"level":10,"msg":"a"}', 7],
    ['{"level":20,"msg":"a"}', 7],
    ['{"level":30,"msg":"a"}', 6],
    ['{"level":40,"msg":"a"}', 4],
    ['{"level":50,"msg":"a"}', 3],
    ['{"level":60,"msg":"a"}', 2],
  ])("gives %s the priority %d", (line, priority) => {
    expect(formatJournal(ofLine(line))).toBe(`<${priority}>[example#0] a\n`);
  });

  it("puts the priority before every line, and lets no app choose one", () => {
    expect(formatJournal(ofLine("Error: bad\n    at f\n<0>forged"))).toBe(
      "<6>[example#0] Error: bad\n<6>        at f\n<6>    <0>forged\n",
    );
    expect(formatJournal(ofEvent({ event: "stopped", code: 1 }))).toBe("<3>[example] Stopped with exit code 1\n");
  });
});
