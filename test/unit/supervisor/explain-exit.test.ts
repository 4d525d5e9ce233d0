// Why it died: what V8 said last, what the kernel counts, and when nothing is known.
import { describe, expect, it } from "vitest";
import { explainedExit, explainExit } from "../../../src/supervisor/explain-exit.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";

const SIGKILL = { code: null, signal: "SIGKILL" } as const;
const SIGABRT = { code: null, signal: "SIGABRT" } as const;
const HEAP = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory";
const UNKNOWN = { fatalError: undefined, oomKillsBefore: undefined, oomKillsAfter: undefined };

describe("explainExit", () => {
  it("names a full JavaScript heap, by signal or by exit code", () => {
    const expected = {
      reason: "out-of-memory",
      note: "its JavaScript heap was full (Reached heap limit Allocation failed - JavaScript heap out of memory)",
    };
    expect(explainExit(SIGABRT, { ...UNKNOWN, fatalError: HEAP })).toEqual(expected);
    expect(explainExit({ code: 134, signal: null }, { ...UNKNOWN, fatalError: HEAP })).toEqual(expected);
  });

  it("passes on what else V8 said, as a crash", () => {
    const fatalError = "FATAL ERROR: v8::ToLocalChecked Empty MaybeLocal";
    expect(explainExit(SIGABRT, { ...UNKNOWN, fatalError })).toEqual({ note: fatalError });
  });

  it("does not take a line that an app printed for the cause of an exit of its own", () => {
    expect(explainExit({ code: 1, signal: null }, { ...UNKNOWN, fatalError: HEAP })).toBeUndefined();
  });

  it("counts the kernel's kills", () => {
    expect(explainExit(SIGKILL, { ...UNKNOWN, oomKillsBefore: 2, oomKillsAfter: 3 })).toEqual({
      reason: "out-of-memory",
      note: "perhaps out of memory: the control group counts 1 OOM kill since its start",
    });
    expect(explainExit(SIGKILL, { ...UNKNOWN, oomKillsBefore: 2, oomKillsAfter: 4 })?.note).toContain("2 OOM kills");
  });

  it("says what it can of a kill that nobody counted", () => {
    expect(explainExit(SIGKILL, { ...UNKNOWN, oomKillsBefore: 2, oomKillsAfter: 2 })).toEqual({
      note: expect.stringContaining("counts no OOM kill"),
    });
    expect(explainExit(SIGKILL, UNKNOWN)).toEqual({ note: "perhaps out of memory" });
  });

  it("has nothing to add to other exits", () => {
    for (const exit of [{ code: 1, signal: null }, { code: null, signal: "SIGSEGV" } as const, SIGABRT])
      expect(explainExit(exit, UNKNOWN)).toBeUndefined();
  });
});

describe("explainedExit", () => {
  it("compares the count at the start with that at the end", async () => {
    const counts = [5, 6];
    const log = { ended: new Promise<void>(() => {}), fatalError: undefined };
    const sources = { log, countOomKills: () => counts.shift(), clock: new FakeClock() };
    expect(await explainedExit(Promise.resolve(SIGKILL), sources)).toMatchObject({
      ...SIGKILL,
      explanation: { reason: "out-of-memory" },
    });
  });

  it("waits for the last lines of an abort, but not for ever", async () => {
    const clock = new FakeClock();
    let endLog: () => void = () => {};
    const log = {
      fatalError: undefined as string | undefined,
      ended: new Promise<void>((resolve) => {
        endLog = resolve;
      }),
    };
    const sources = { log, countOomKills: () => 0, clock };
    const read = explainedExit(Promise.resolve(SIGABRT), sources);
    log.fatalError = HEAP;
    endLog();
    expect(await read).toMatchObject({ explanation: { reason: "out-of-memory" } });

    const unread = explainedExit(Promise.resolve(SIGABRT), {
      ...sources,
      log: { fatalError: undefined, ended: new Promise(() => {}) },
    });
    await Promise.resolve();
    await Promise.resolve();
    clock.advance(500);
    expect(await unread).toEqual(SIGABRT);
  });
});
