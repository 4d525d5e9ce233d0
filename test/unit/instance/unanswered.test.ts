// Which requests a drain gives up after an uncaught error, and when: never one that may still be answered.
import { describe, expect, it } from "vitest";
import { Unanswered } from "../../../src/instance/unanswered.ts";
import type { OpenRequest } from "../../../src/protocol.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";

const SILENT_MS = 10_000;

/** A connection's request, as far as it matters here. */
class FakeExchange {
  readonly req = {};
  readonly socket = { bytesRead: 100, bytesWritten: 0 };
  status: number | undefined;
  writableEnded = false;
  destroyed = false;
  headersSent = false;
  getHeaderNames(): string[] {
    return [];
  }
  writeHead(status: number): void {
    this.status = status;
  }
  end(): void {
    this.writableEnded = true;
  }
  destroy(): void {
    this.destroyed = true;
  }
}

function setUp() {
  const clock = new FakeClock();
  const open = new Map<FakeExchange, [unknown, unknown]>();
  const given: OpenRequest[] = [];
  const unanswered = new Unanswered({ exchanges: () => open.values() as never });
  return {
    clock,
    given,
    unanswered,
    begin: (url: string): FakeExchange => {
      const exchange = new FakeExchange();
      const { socket } = exchange;
      open.set(exchange, [{ socket }, { answer: exchange, method: "GET", url, startedAt: clock.now() }]);
      return exchange;
    },
    over: (exchange: FakeExchange) => open.delete(exchange),
    drain: () =>
      unanswered.giveUp({
        clock,
        silentMs: SILENT_MS,
        onGivenUp(requests) {
          given.push(...requests);
          for (const exchange of open.keys()) if (exchange.writableEnded) open.delete(exchange);
        },
      }),
  };
}

describe("Unanswered", () => {
  it("gives up the last silent suspect, naming it without its query", () => {
    const { begin, unanswered, drain, clock, given } = setUp();
    const failed = begin("/failed?secret=1");
    unanswered.note();
    drain();
    clock.advance(SILENT_MS - 1);
    expect(failed.status).toBeUndefined();
    clock.advance(1);
    expect(failed.status).toBe(500);
    expect(given).toEqual([{ method: "GET", path: "/failed", ageMs: SILENT_MS }]);
    clock.advance(60_000);
    expect(given).toHaveLength(1);
  });

  it("cuts an answer that has begun", () => {
    const { begin, unanswered, drain, clock } = setUp();
    const failed = begin("/");
    failed.headersSent = true;
    unanswered.note();
    drain();
    clock.advance(SILENT_MS);
    expect(failed.destroyed).toBe(true);
  });

  it("waits for requests that came after the error", () => {
    const { begin, over, unanswered, drain, clock, given } = setUp();
    begin("/failed");
    unanswered.note();
    const later = begin("/later");
    drain();
    clock.advance(3 * SILENT_MS);
    expect(given).toEqual([]);
    over(later);
    clock.advance(SILENT_MS);
    expect(given).toHaveLength(1);
  });

  it("waits while more suspects are left than there were errors", () => {
    const { begin, over, unanswered, drain, clock, given } = setUp();
    const slow = Array.from({ length: 20 }, (_, n) => begin(`/slow/${n}`));
    begin("/failed");
    unanswered.note();
    drain();
    for (const exchange of slow) {
      clock.advance(2 * SILENT_MS);
      expect(given).toEqual([]);
      over(exchange);
    }
    clock.advance(SILENT_MS);
    expect(given.map(({ path }) => path)).toEqual(["/failed"]);
  });

  it("waits while something comes or goes", () => {
    const { begin, unanswered, drain, clock, given } = setUp();
    const streaming = begin("/stream");
    unanswered.note();
    drain();
    for (let n = 0; n < 50; n += 1) {
      streaming.socket.bytesWritten += 1;
      clock.advance(SILENT_MS - 2000);
    }
    expect(given).toEqual([]);
    clock.advance(SILENT_MS);
    expect(given).toHaveLength(1);
  });

  it("counts an error no more when all that was open at it is over", () => {
    const { begin, over, unanswered, drain, clock, given } = setUp();
    for (let n = 0; n < 5; n += 1) {
      const failed = begin("/failed");
      unanswered.note();
      over(failed);
    }
    begin("/slow");
    begin("/failed");
    unanswered.note();
    drain();
    clock.advance(10 * SILENT_MS);
    expect(given).toEqual([]);
  });

  it("gives up nothing without an error, and nothing once it is cancelled", () => {
    const { begin, unanswered, drain, clock, given } = setUp();
    begin("/slow");
    const timer = drain();
    clock.advance(10 * SILENT_MS);
    unanswered.note();
    timer.cancel();
    clock.advance(10 * SILENT_MS);
    expect(given).toEqual([]);
    expect(clock.timers).toBe(0);
  });
});
