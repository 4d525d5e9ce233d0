import { Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import type { Segment } from "../../../../src/logs/encode/segment.ts";
import { ConsoleSink, type ConsoleSinkOptions, type ConsoleStream } from "../../../../src/logs/sinks/console.ts";
import { FakeClock } from "../../../helpers/fake-clock.ts";

/** A reader in the test's hands: nothing is taken before `read`, and it may fail. */
class Reader extends Writable {
  readonly taken: string[] = [];
  #pending: { text: string; done: (error?: Error) => void }[] = [];

  constructor() {
    super({ decodeStrings: false, autoDestroy: false, highWaterMark: 1 });
  }

  override _write(chunk: unknown, _encoding: string, done: (error?: Error) => void): void {
    this.#pending.push({ text: String(chunk), done });
  }

  async read(error?: Error): Promise<void> {
    const next = this.#pending.shift();
    if (next === undefined) throw new Error("nothing was written");
    if (error === undefined) this.taken.push(next.text);
    next.done(error);
    // Streams report on the next tick.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

function ofLine(text: string): Segment {
  return { bytes: Buffer.from(`${text}\n`), isError: false, instance: 0, isOwn: false };
}

function createSink(options: Partial<ConsoleSinkOptions> = {}) {
  const stream = new Reader();
  const clock = new FakeClock();
  const lost: number[] = [];
  const sink = new ConsoleSink({ stream, clock, encoding: "json", onLost: (lines) => lost.push(lines), ...options });
  return { stream, clock, lost, sink };
}

/** Whether a promise is settled once everything that is due has run. */
async function isSettled(promise: Promise<void>): Promise<boolean> {
  let settled = false;
  void promise.then(() => (settled = true));
  await new Promise((resolve) => setImmediate(resolve));
  return settled;
}

describe("ConsoleSink", () => {
  it("writes all segments of a call at once and in order", async () => {
    const { stream, sink } = createSink();
    sink.write([ofLine("a"), ofLine("b")]);
    sink.write([ofLine("c")]);
    await stream.read();
    await stream.read();
    expect(stream.taken).toEqual(["a\nb\n", "c\n"]);
  });

  it("flushes when the reader has taken everything", async () => {
    const { stream, clock, sink } = createSink();
    expect(await isSettled(sink.flush())).toBe(true);
    sink.write([ofLine("a")]);
    sink.write([ofLine("b")]);
    const flushed = sink.flush();
    await stream.read();
    expect(await isSettled(flushed)).toBe(false);
    await stream.read();
    expect(await isSettled(flushed)).toBe(true);
    expect(clock.timers).toBe(0);
  });

  it("does not wait longer than the deadline for a reader that stopped", async () => {
    const { clock, sink } = createSink({ flushTimeout: 100 });
    sink.write([ofLine("a")]);
    const flushed = sink.flush();
    clock.advance(99);
    expect(await isSettled(flushed)).toBe(false);
    clock.advance(1);
    expect(await isSettled(flushed)).toBe(true);
  });

  it("survives a reader that is gone, and stops writing", async () => {
    const { stream, lost, sink } = createSink();
    sink.write([ofLine("a")]);
    const flushed = sink.flush();
    await stream.read(failure("EPIPE"));
    expect(await isSettled(flushed)).toBe(true);
    sink.write([ofLine("b")]);
    expect(stream.writableLength).toBe(0);
    expect(await isSettled(sink.flush())).toBe(true);
    expect(lost).toEqual([]);
  });

  it("leaves out and counts what a slow reader has no room for, and says so when it reads on", async () => {
    const { stream, lost, sink } = createSink({ limit: 3 });
    sink.write([ofLine("aaaa")]);
    sink.write([ofLine("b"), ofLine("c")]);
    sink.write([ofLine("d")]);
    expect(lost).toEqual([]);
    await stream.read();
    expect(lost).toEqual([3]);
    sink.write([ofLine("e")]);
    await stream.read();
    expect(stream.taken).toEqual(["aaaa\n", "e\n"]);
    expect(lost).toEqual([3]);
  });

  it("says what is lost every 10 s while the reader is slow, and at the end", async () => {
    const { clock, lost, sink } = createSink({ limit: 3, flushTimeout: 100 });
    sink.write([ofLine("aaaa")]);
    sink.write([ofLine("b")]);
    clock.advance(9999);
    expect(lost).toEqual([]);
    clock.advance(1);
    expect(lost).toEqual([1]);
    sink.write([ofLine("c")]);
    void sink.flush();
    expect(lost).toEqual([1, 1]);
    clock.advance(20_000);
    expect(lost).toEqual([1, 1]);
  });

  it.each(["the callback", "write() itself, as a file's stream does on Node 20"])(
    "goes on when a full disk has room again, told by %s",
    (by) => {
      let full = true;
      const taken: string[] = [];
      const stream: ConsoleStream = {
        writableLength: 0,
        on: () => {},
        write(bytes, done) {
          if (full && by !== "the callback") throw failure("ENOSPC");
          if (!full) taken.push(bytes.toString());
          done(full ? failure("ENOSPC") : null);
          return true;
        },
      };
      const { sink, lost } = createSink({ stream });
      sink.write([ofLine("a"), ofLine("b")]);
      sink.write([ofLine("c")]);
      expect(lost).toEqual([]);
      full = false;
      sink.write([ofLine("d")]);
      sink.write([ofLine("e")]);
      // The line break ends what a write that failed may have left.
      expect(taken).toEqual(["\nd\n", "e\n"]);
      expect(lost).toEqual([3]);
    },
  );
});
