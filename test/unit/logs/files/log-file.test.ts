import { describe, expect, it } from "vitest";
import type { Timer } from "../../../../src/clock.ts";
import { Housekeeping, type HousekeepingOptions } from "../../../../src/logs/files/housekeeping.ts";
import { LogFile } from "../../../../src/logs/files/log-file.ts";
import type { RotationRules } from "../../../../src/logs/files/log-file-options.ts";
import { UTC } from "../../../../src/logs/files/rotation.ts";
import { FakeClock } from "../../../helpers/fake-clock.ts";
import { FakeDisk, type FakeDiskOptions } from "../../../helpers/fake-disk.ts";

const FILE = "/a.log";
const DAY = 86_400_000;

interface SetUp extends Partial<Omit<FakeDiskOptions, "now">> {
  readonly clock?: FakeClock;
  readonly rotation?: Partial<RotationRules>;
  readonly keep?: Partial<HousekeepingOptions["keep"]>;
  readonly compress?: boolean;
}

function setUp({ clock = new FakeClock(), rotation, keep, compress = false, ...options }: SetUp = {}) {
  const disk = new FakeDisk({ ...options, now: () => clock.date() });
  const told: string[] = [];
  let progress = 0;
  const rules = { size: undefined, every: undefined, offsetAt: UTC, ...rotation };
  const housekeeping = new Housekeeping({
    keep: { files: undefined, age: undefined, totalSize: undefined, ...keep },
    compress,
    rotateSize: rules.size,
    disk,
    clock,
  });
  const file = new LogFile({
    file: FILE,
    rotation: rules,
    ownership: { mode: 0o640, uid: undefined, gid: undefined },
    disk,
    clock,
    housekeeping,
    observer: {
      progress: (bytes) => (progress += bytes),
      failed: (_file, trouble, error) => told.push(`${trouble} ${error instanceof Error ? error.message : ""}`),
      recovered: (_file, trouble, { lostLines }) => told.push(`${trouble} again, ${lostLines} lost`),
    },
  });
  return { clock, disk, told, file, progress: () => progress };
}

/** A clock on which time passes with each look at it; notes for how long timers are set. */
class HurryingClock extends FakeClock {
  readonly #step: number;
  readonly #waits: number[];
  #looks = 0;

  constructor(step: number, waits: number[]) {
    super();
    this.#step = step;
    this.#waits = waits;
  }

  override now(): number {
    this.#looks += 1;
    return super.now() + this.#looks * this.#step;
  }

  override after(ms: number, callback: () => void): Timer {
    this.#waits.push(ms);
    return super.after(ms, callback);
  }
}

/** Lets all that needs no time run. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

function lines(from: number, to: number): Buffer {
  return Buffer.from(Array.from({ length: to - from }, (_, n) => `line ${from + n}\n`).join(""));
}

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, n) => `line ${from + n}`);
}

describe("LogFile", () => {
  it("writes what is pushed, in order, and says how much", async () => {
    const { file, disk, progress } = setUp();
    await file.start();
    file.push(lines(0, 2));
    file.push(lines(2, 4));
    expect(file.queued).toBe(28);
    await file.idle();
    file.push(lines(4, 5));
    await file.idle();
    expect(disk.lines(FILE)).toEqual(numbers(0, 5));
    expect(file.queued).toBe(0);
    expect(progress()).toBe(35);
  });

  it("sets no timer into the past, however time goes on while it reckons", async () => {
    const waits: number[] = [];
    for (let step = 0.1; step < 2; step += 0.1) {
      const { file } = setUp({ clock: new HurryingClock(step, waits) });
      await file.start();
      for (let n = 0; n < 3; n += 1) {
        file.push(lines(n, n + 1));
        await settled();
      }
    }
    expect(waits.length).toBeGreaterThan(0);
    expect(waits.filter((ms) => ms < 0)).toEqual([]);
  });

  it("rotates by size between lines, so that no file is larger, and a longer line has a file of its own", async () => {
    const { file, disk } = setUp({ rotation: { size: 20 } });
    file.push(lines(0, 7));
    file.push(Buffer.from(`${"x".repeat(50)}\n`));
    file.push(lines(7, 8));
    await file.idle();
    expect(disk.lines(FILE)).toEqual([...numbers(0, 7), "x".repeat(50), ...numbers(7, 8)]);
    const sizes = [...disk.files.values()].map(({ content }) => content.length).sort((a, b) => a - b);
    expect(sizes).toEqual([7, 7, 14, 14, 14, 51]);
  });

  it("rotates in time with and without lines, but no empty file", async () => {
    const clock = new FakeClock(Date.UTC(2026, 0, 1, 12));
    const { file, disk } = setUp({ clock, rotation: { every: DAY } });
    file.push(lines(0, 1));
    await file.idle();
    clock.advance(DAY / 2 - 1);
    await settled();
    expect(disk.files.size).toBe(1);
    clock.advance(1);
    await settled();
    expect([...disk.files.keys()]).toEqual(["/a.2026-01-02T00-00-00.000Z.log", FILE]);
    clock.advance(3 * DAY);
    await settled();
    expect(disk.files.size).toBe(2);
    file.push(lines(1, 2));
    await file.idle();
    clock.advance(DAY);
    await settled();
    expect([...disk.files.keys()].at(-2)).toBe("/a.2026-01-06T00-00-00.000Z.log");
    expect(disk.lines(FILE)).toEqual(numbers(0, 2));
  });

  it("rotates at its start what was written before a boundary that it has missed", async () => {
    const clock = new FakeClock(Date.UTC(2026, 0, 1, 23));
    const first = setUp({ clock, rotation: { every: DAY } });
    first.file.push(lines(0, 1));
    await first.file.idle();
    clock.advance(DAY);
    const second = setUp({ clock, rotation: { every: DAY }, remains: first.disk.files });
    await second.file.start();
    second.file.push(lines(1, 2));
    await second.file.idle();
    expect([...second.disk.files.keys()]).toEqual(["/a.2026-01-02T23-00-00.000Z.log", FILE]);
    expect(second.disk.text(FILE)).toBe("line 1\n");
  });

  it("reopens by name when told to, and by itself within a second when the file was renamed or removed", async () => {
    const { clock, file, disk } = setUp();
    file.push(lines(0, 1));
    await file.idle();
    disk.files.set("/a.log.1", disk.files.get(FILE)!);
    disk.files.delete(FILE);
    file.push(lines(1, 2));
    await file.idle();
    expect(disk.text("/a.log.1")).toBe("line 0\nline 1\n");
    file.reopen();
    file.push(lines(2, 3));
    await file.idle();
    expect(disk.text(FILE)).toBe("line 2\n");
    disk.files.set("/a.log.2", disk.files.get(FILE)!);
    disk.files.delete(FILE);
    clock.advance(1000);
    file.push(lines(3, 4));
    await file.idle();
    expect([disk.text("/a.log.2"), disk.text(FILE)]).toEqual(["line 2\n", "line 3\n"]);
  });

  it("rotates nothing that somebody else has just renamed, and sees what copytruncate leaves", async () => {
    const { clock, file, disk } = setUp({ rotation: { size: 20 } });
    file.push(lines(0, 2));
    await file.idle();
    disk.files.set("/elsewhere", disk.files.get(FILE)!);
    disk.files.delete(FILE);
    file.push(lines(2, 4));
    await file.idle();
    expect([...disk.files.keys()]).toEqual(["/elsewhere", FILE]);
    disk.files.get(FILE)!.content = Buffer.alloc(0);
    clock.advance(1000);
    file.push(lines(4, 6));
    await file.idle();
    expect(disk.text(FILE)).toBe("line 4\nline 5\n");
  });

  it("keeps lines while the disk is full, tells it once, and goes on by itself without half a line", async () => {
    const { clock, file, disk, told } = setUp();
    disk.capacity = 17;
    file.push(lines(0, 3));
    await settled();
    expect(disk.text(FILE)).toBe("line 0\nline 1\n");
    expect(told).toEqual(["write ENOSPC"]);
    expect(file.isFailing).toBe(true);
    for (let second = 0; second < 60; second += 1) {
      clock.advance(1000);
      await settled();
    }
    file.push(lines(3, 5));
    file.lose(lines(0, 7));
    await settled();
    expect(told).toHaveLength(1);
    disk.capacity = Infinity;
    clock.advance(5000);
    await settled();
    expect(disk.lines(FILE)).toEqual(numbers(0, 5));
    expect(told).toEqual(["write ENOSPC", "write again, 7 lost"]);
    expect(file.isFailing).toBe(false);
  });

  it("goes on in the file there is while it cannot be renamed, and tries again later", async () => {
    const { clock, file, disk, told } = setUp({ rotation: { size: 20 } });
    disk.failure = (step) => (step === "rename" ? "EACCES" : undefined);
    file.push(lines(0, 10));
    await file.idle();
    expect(disk.text(FILE)).toBe(lines(0, 10).toString());
    expect(told).toEqual(["rotate EACCES"]);
    disk.failure = () => undefined;
    clock.advance(5000);
    file.push(lines(10, 11));
    await file.idle();
    expect(disk.text(FILE)).toBe("line 10\n");
    expect(told).toEqual(["rotate EACCES", "rotate again, 0 lost"]);
    expect(disk.lines(FILE)).toEqual(numbers(0, 11));
  });

  it("refuses to start on what cannot be opened", async () => {
    const { file, disk } = setUp();
    disk.failure = (step) => (step === "open" ? "EACCES" : undefined);
    await expect(file.start()).rejects.toThrow("EACCES");
  });

  it("keeps by number, by age and by total size, the written file included", async () => {
    const byNumber = setUp({ rotation: { size: 7 }, keep: { files: 2 } });
    byNumber.file.push(lines(0, 9));
    await byNumber.file.idle();
    await settled();
    expect(byNumber.disk.lines(FILE)).toEqual(numbers(6, 9));

    const bySize = setUp({ rotation: { size: 7 }, keep: { totalSize: 28 } });
    bySize.file.push(lines(0, 9));
    await bySize.file.idle();
    await settled();
    expect(bySize.disk.lines(FILE)).toEqual(numbers(5, 9));

    const byAge = setUp({ rotation: { size: 7 }, keep: { age: 1_200_000 } });
    byAge.file.push(lines(0, 3));
    await byAge.file.idle();
    byAge.clock.advance(600_000);
    byAge.file.push(lines(3, 5));
    await byAge.file.idle();
    await settled();
    byAge.clock.advance(600_010);
    await settled();
    expect(byAge.disk.lines(FILE)).toEqual(numbers(2, 5));
  });

  it("compresses rotated files after 3 s, in order, and tells once when it cannot", async () => {
    const { clock, file, disk, told } = setUp({ rotation: { size: 7 }, compress: true });
    disk.failure = (step) => (step === "compress" ? "ENOSPC" : undefined);
    file.push(lines(0, 3));
    await file.idle();
    clock.advance(2999);
    await settled();
    expect(told).toEqual([]);
    clock.advance(2);
    await settled();
    expect(told).toEqual(["clean-up ENOSPC"]);
    expect([...disk.files.keys()].some((name) => /gz/.test(name))).toBe(false);
    disk.failure = () => undefined;
    clock.advance(600_000);
    await settled();
    expect(told).toEqual(["clean-up ENOSPC", "clean-up again, 0 lost"]);
    expect([...disk.files.keys()].filter((name) => name.endsWith(".gz"))).toHaveLength(2);
    expect(disk.lines(FILE)).toEqual(numbers(0, 3));
  });
});

describe("a supervisor that is killed at any instant", () => {
  const rules = { rotation: { size: 25 }, compress: true };

  /** One life: two bursts of lines, with time for rotated files to be compressed. */
  async function live(from: number, { clock, file }: ReturnType<typeof setUp>): Promise<void> {
    for (const first of [from, from + 6]) {
      file.push(lines(first, first + 6));
      await settled();
      clock.advance(6000);
      await settled();
    }
  }

  it("leaves every line once, whole or as the torn end of what it wrote last, and the next one goes on", async () => {
    const whole = setUp(rules);
    await live(0, whole);
    expect(whole.disk.lines(FILE)).toEqual(numbers(0, 12));
    expect([...whole.disk.files.keys()].filter((name) => name.endsWith(".gz")).length).toBeGreaterThan(2);
    const { steps } = whole.disk;
    expect(steps).toBeGreaterThan(40);
    for (let diesAt = 0; diesAt <= steps; diesAt += 1) {
      for (const share of [0, 0.5, 1]) {
        const clock = new FakeClock();
        const first = setUp({ ...rules, clock, diesAt, share });
        await live(0, first);
        const left = first.disk.lines(FILE);
        const written = left.filter((line) => /^line \d+$/.test(line));
        expect(written, `killed at step ${diesAt}`).toEqual(numbers(0, written.length));
        expect(left.length, `killed at step ${diesAt}`).toBe(written.length);

        // The clock of the machine that comes back is behind.
        const second = setUp({ ...rules, clock: new FakeClock(clock.date() - 3_600_000), remains: first.disk.files });
        await live(100, second);
        const all = second.disk.lines(FILE);
        const tornAt = all.findIndex((line, n) => n >= written.length && line !== "line 100");
        const torn = tornAt === written.length ? 1 : 0;
        expect(all.slice(0, written.length)).toEqual(written);
        expect(all.slice(written.length + torn), `killed at step ${diesAt}`).toEqual(numbers(100, 112));
        if (torn === 1) expect(`line ${written.length}`.startsWith(all[tornAt] ?? "?")).toBe(true);
        const names = [...second.disk.files.keys()];
        expect(names.filter((name) => name.endsWith(".tmp"))).toEqual([]);
      }
    }
  }, 60_000);
});
