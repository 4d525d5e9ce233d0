import { describe, expect, it } from "vitest";
import { LogCounts } from "../../../src/logs/counts.ts";
import { levelName } from "../../../src/logs/levels.ts";

describe("LogCounts", () => {
  it("counts a line at the level that it is shown with, whatever number it has", () => {
    for (const level of [-5, 0, 5, 10, 19, 20, 29.5, 30, 35, 40, 50, 59, 60, 61, 99, 1e9]) {
      const counts = new LogCounts();
      counts.add(level);
      const { lines } = counts.statistics([]);
      expect(Object.entries(lines).filter(([, count]) => count > 0)).toEqual([[levelName(level), 1]]);
    }
  });

  it("adds up what was lost, by sink, and has each sink at zero before", () => {
    const counts = new LogCounts();
    counts.take({ event: "log-lines-lost", sink: "console", lines: 3 });
    counts.take({ event: "log-lines-lost", sink: "console", lines: 4 });
    const recovered = { event: "log-file-recovered", file: "/a.log", trouble: "write", failedMs: 1 } as const;
    counts.take({ ...recovered, lostLines: 5 });
    counts.take({ event: "all-crashed" });
    expect(
      counts.statistics([
        { sink: "/b.log", bytes: 7 },
        { sink: "/a.log", bytes: 0 },
      ]),
    ).toMatchObject({
      lost: { console: 7, "/a.log": 5, "/b.log": 0 },
      writtenBytes: { "/b.log": 7, "/a.log": 0 },
    });
  });
});
