import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import type { Segment } from "../../../src/logs/encode/segment.ts";
import type { LogRecord } from "../../../src/logs/record.ts";
import { type InstanceLog, LogRouter, type LogRouterOptions } from "../../../src/logs/router.ts";
import type { Sink, Written } from "../../../src/logs/sinks/sink.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";

class Memory implements Sink {
  readonly writes: LogRecord[][] = [];
  flushes = 0;
  backlog = 0;
  isFull = false;
  lost = 0;
  onProgress: (() => void) | undefined;
  #records: LogRecord[] = [];
  /** Of its own for each: what it was called with is what was written. */
  readonly encoding = (record: LogRecord): string => {
    this.#records.push(record);
    return `${record.time}\n`;
  };

  lose(lines: number): void {
    this.lost += lines;
  }

  write(segments: readonly Segment[]): void {
    expect(segments.map(({ bytes }) => bytes.toString()).join("")).toBe(
      this.#records.map(({ time }) => `${time}\n`).join(""),
    );
    this.writes.push(this.#records);
    this.#records = [];
  }

  written(): readonly Written[] {
    return [{ sink: "memory", bytes: this.texts.length }];
  }

  flush(): Promise<void> {
    this.flushes += 1;
    return Promise.resolve();
  }

  get texts(): string[] {
    return this.writes.flat().map((record) => {
      if (record.kind === "text") return record.text;
      return record.kind === "json" ? record.json : record.event.event;
    });
  }
}

function setUp(options: Partial<LogRouterOptions> = {}) {
  const clock = new FakeClock();
  const sink = new Memory();
  const second = new Memory();
  const router = new LogRouter({ name: "example", sinks: [sink, second], clock, ...options });
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const log = router.attach({ instance: 0, generation: 2, pid: 7, stdout, stderr });
  return { clock, sink, second, router, stdout, stderr, log };
}

/** Lets the streams hand on what was written to them. */
function delivered(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function say(stream: PassThrough, text: string): Promise<void> {
  stream.write(text);
  await delivered();
}

async function hasEnded(log: InstanceLog): Promise<boolean> {
  let ended = false;
  void log.ended.then(() => (ended = true));
  await delivered();
  return ended;
}

const STACK = "Error: bad\n    at f (/a.js:1:1)";

describe("LogRouter", () => {
  it("sends every record to every sink, those of a chunk at once", async () => {
    const { sink, second, stdout } = setUp();
    await say(stdout, 'a\n{"msg":"b"}\nc');
    expect(sink.writes.map((records) => records.length)).toEqual([2]);
    expect(sink.texts).toEqual(["a", '{"msg":"b"}']);
    await say(stdout, "d\n");
    expect(sink.texts).toEqual(["a", '{"msg":"b"}', "cd"]);
    expect(second.texts).toEqual(sink.texts);
  });

  it("says whose pipe a record came through, and when", async () => {
    const { sink, clock, stdout, stderr } = setUp();
    clock.advance(5);
    await say(stdout, "a\n");
    await say(stderr, "b\n");
    const origin = { name: "example", instance: 0, generation: 2, pid: 7, time: clock.date() };
    expect(sink.writes.flat()).toMatchObject([
      { ...origin, stream: "stdout", level: 30 },
      { ...origin, stream: "stderr", level: 50 },
    ]);
  });

  it("logs events", () => {
    const { sink, clock, router } = setUp();
    router.event({ event: "stopping", by: "SIGTERM" });
    expect(sink.writes.flat()).toMatchObject([
      { kind: "event", name: "example", level: 30, time: clock.date(), event: { event: "stopping", by: "SIGTERM" } },
    ]);
  });

  it("holds the beginning of an error over chunks, no longer than 25 ms after the last one", async () => {
    const { sink, clock, stderr } = setUp();
    await say(stderr, "plain\nError: bad\n");
    expect(sink.texts).toEqual(["plain"]);
    clock.advance(24);
    await say(stderr, "    at f (/a.js:1:1)\n");
    clock.advance(24);
    expect(sink.texts).toEqual(["plain"]);
    clock.advance(1);
    expect(sink.texts).toEqual(["plain", STACK]);
    expect(sink.writes.at(-1)).toMatchObject([{ time: clock.date() - 49 }]);
    expect(clock.timers).toBe(0);
  });

  it("does not delay lines that begin no error", async () => {
    const { sink, clock, stderr } = setUp();
    await say(stderr, "plain\n");
    expect(sink.texts).toEqual(["plain"]);
    expect(clock.timers).toBe(0);
  });

  it("keeps the order of an error and the JSON line after it", async () => {
    const { sink, stdout } = setUp();
    await say(stdout, `${STACK}\n{"msg":"next"}\n`);
    expect(sink.texts).toEqual([STACK, '{"msg":"next"}']);
  });

  it("writes all that is left when the pipes end, and only then says so", async () => {
    const { sink, clock, stdout, stderr, log } = setUp();
    stderr.write(`${STACK}\n`);
    stdout.end("half");
    expect(await hasEnded(log)).toBe(false);
    stderr.end();
    expect(await hasEnded(log)).toBe(true);
    expect(sink.texts.toSorted()).toEqual([STACK, "half"]);
    expect(sink.writes.flat().find((record) => record.kind === "text" && record.partial)).toMatchObject({
      text: "half",
    });
    expect(clock.timers).toBe(0);
  });

  it("keeps lines of stderr out of the log that an interceptor takes, and out of the last words", async () => {
    const { sink, stdout, stderr, log } = setUp();
    const seen: string[] = [];
    log.intercept((line) => {
      seen.push(line);
      return line.startsWith("Debugger");
    });
    await say(stderr, "Debugger listening\nplain\n");
    await say(stdout, "Debugger on stdout\n");
    expect(seen).toEqual(["Debugger listening", "plain"]);
    expect(sink.texts).toEqual(["plain", "Debugger on stdout"]);
    expect(log.lastWords()).toEqual(["plain"]);
  });

  it("remembers what V8 said when it gave up, however long its stack", async () => {
    const { stderr, log } = setUp();
    const fatal = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory";
    expect(log.fatalError).toBeUndefined();
    await say(stderr, `${fatal}\n${" 1: 0xb78db3 node::OOMErrorHandler\n".repeat(30)}`);
    expect(log.fatalError).toBe(fatal);
    expect(log.lastWords()).not.toContain(fatal);
  });

  it("survives a pipe that fails", async () => {
    const { stdout, stderr, log } = setUp();
    stdout.destroy(new Error("EIO"));
    stderr.end();
    expect(await hasEnded(log)).toBe(true);
  });

  it("flushes what is held back, but no half line, and every sink", async () => {
    const { sink, second, router, stderr } = setUp();
    await say(stderr, "Error: bad\nhalf");
    await router.flush();
    expect(sink.texts).toEqual(["Error: bad"]);
    expect([sink.flushes, second.flushes]).toEqual([1, 1]);
  });

  it("closes pipes that a process left behind holds open", async () => {
    const { sink, router, stdout, log } = setUp();
    await say(stdout, "half");
    await router.close();
    expect(await hasEnded(log)).toBe(true);
    expect(sink.texts).toEqual(["half"]);
    expect(sink.flushes).toBe(1);
    expect(stdout.destroyed).toBe(true);
  });

  it("remembers the last 20 lines of stderr, cut to what can be quoted", async () => {
    const { stdout, stderr, log } = setUp();
    await say(stdout, "no\n");
    await say(stderr, `${Array.from({ length: 25 }, (_, index) => `line ${index}\n`).join("")}${"x".repeat(2000)}\n`);
    const words = log.lastWords();
    expect(words).toHaveLength(20);
    expect(words[0]).toBe("line 6");
    expect(words.at(-1)).toBe("x".repeat(1000));
  });

  it("does not read on while the sinks have 4 MB to write, and does at 1 MB", async () => {
    const { sink, router, stdout, stderr } = setUp();
    sink.backlog = 4 * 1024 * 1024 - 1;
    await say(stdout, "a\n");
    expect(router.isBlocked).toBe(false);
    sink.backlog += 1;
    await say(stdout, "b\n");
    expect(router.isBlocked).toBe(true);
    await say(stdout, "c\n");
    await say(stderr, "d\n");
    expect(sink.texts).toEqual(["a", "b"]);
    const newcomer = new PassThrough();
    router.attach({ instance: 1, generation: 0, pid: 8, stdout: newcomer, stderr: new PassThrough() });
    await say(newcomer, "e\n");
    expect(sink.texts).toEqual(["a", "b"]);
    sink.backlog = 1024 * 1024 + 1;
    sink.onProgress?.();
    expect(router.isBlocked).toBe(true);
    sink.backlog -= 1;
    sink.onProgress?.();
    await delivered();
    expect(router.isBlocked).toBe(false);
    expect(sink.texts.toSorted()).toEqual(["a", "b", "c", "d", "e"]);
  });

  it("reads on whatever the sinks have to write, when lines may be dropped", async () => {
    const { sink, router, stdout } = setUp({ overflow: "drop" });
    sink.backlog = 1e9;
    await say(stdout, "a\n");
    await say(stdout, "b\n");
    expect(router.isBlocked).toBe(false);
    expect(sink.texts).toEqual(["a", "b"]);
  });

  it("counts what was logged by level, cut and lost, events too and each line once, however many sinks there are", async () => {
    const { router, stdout, stderr } = setUp({ lineLimit: 40 });
    stdout.write('{"level":40,"time":1,"msg":"a"}\n{"level":20,"time":1}\n');
    stdout.write(`text\n{ "level": 60 }\n${"x".repeat(41)}\n`);
    stderr.write("Error: bad\n    at f (a.js:1:1)\n");
    await delivered();
    await router.flush();
    router.event({ event: "log-lines-lost", sink: "console", lines: 2 });
    const { lines, cut, lost } = router.statistics();
    // An event that lines were lost is of level warn; the short and the long way of JSON both count.
    expect(lines).toEqual({ trace: 0, debug: 0, info: 2, warn: 2, error: 1, fatal: 1 });
    expect(cut).toBe(1);
    expect(lost).toEqual({ console: 2, memory: 0 });
  });

  it("leaves out what is below the level, and cuts lines at the limit", async () => {
    const { sink, router, stdout, stderr } = setUp({ level: 40, lineLimit: 5 });
    await say(stdout, '{"level":30,"msg":"a"}\nb\n');
    await say(stderr, "cdefghi\n");
    router.event({ event: "stopped", code: 0 });
    expect(sink.writes).toMatchObject([[{ text: "cdefg", cutBytes: 2 }]]);
  });

  it("makes nothing of lines that every sink would leave out, but counts them", async () => {
    const { sink, second, stdout } = setUp({ overflow: "drop" });
    sink.isFull = true;
    await say(stdout, "a\n");
    expect([sink.lost, second.texts]).toEqual([0, ["a"]]);
    second.isFull = true;
    await say(stdout, "b\nc\n");
    expect([sink.lost, second.lost]).toEqual([2, 2]);
    expect(second.texts).toEqual(["a"]);
  });
});
