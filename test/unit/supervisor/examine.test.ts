/** The stack that is logged of an unresponsive instance: what the program did, not what the question made it do. */
import { describe, expect, it } from "vitest";
import { blockingStack, type CallFrame } from "../../../src/supervisor/examine.ts";

const URLS = new Map([
  ["1", "node:internal/child_process"],
  ["2", "node:events"],
  ["3", "file:///srv/app/main.js"],
  ["4", "node:internal/timers"],
  ["5", "file:///srv/app/node_modules/choir/dist/src/instance/tls-inbox.js"],
]);

function frame(scriptId: string, lineNumber: number, functionName = ""): CallFrame {
  return { callFrameId: "0", functionName, location: { scriptId, lineNumber, columnNumber: 4 } };
}

describe("the blocking stack", () => {
  it("is as the inspector has it", () => {
    expect(blockingStack([frame("3", 6, "spins"), frame("4", 99), frame("9", 0)], URLS)).toEqual([
      "at spins (/srv/app/main.js:7:5)",
      "at node:internal/timers:100:5",
      "at unknown script:1:5",
    ]);
  });

  it("begins where the program was when Node told it that its inspector is open", () => {
    const asked = [frame("1", 707), frame("2", 508, "emit"), frame("3", 14, "sleeps"), frame("2", 508, "emit")];
    expect(blockingStack(asked, URLS)).toEqual(["at sleeps (/srv/app/main.js:15:5)", "at emit (node:events:509:5)"]);
  });

  it("leaves out the instance's inboxes, through which it is told", () => {
    const asked = [
      frame("1", 707),
      frame("2", 508, "emit"),
      frame("5", 20, "TlsInbox.process.emit"),
      frame("3", 14, "sleeps"),
    ];
    expect(blockingStack(asked, URLS)).toEqual(["at sleeps (/srv/app/main.js:15:5)"]);
    expect(blockingStack(asked.slice(2), URLS)).toEqual(["at sleeps (/srv/app/main.js:15:5)"]);
  });

  it("is empty when nothing but that was running", () => {
    expect(blockingStack([frame("1", 707), frame("2", 508, "emit")], URLS)).toEqual([]);
  });

  it("keeps an event's emitter as the innermost frame of a program", () => {
    expect(blockingStack([frame("2", 508, "emit"), frame("3", 14, "sleeps")], URLS)[0]).toBe(
      "at emit (node:events:509:5)",
    );
  });
});
