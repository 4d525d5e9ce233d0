// Messages to the service manager: in their order, one at a time, and none of them in the way of the supervisor.
import { describe, expect, it } from "vitest";
import { type NotifyMessage, Sender } from "../../../src/systemd/sender.ts";

function setUp() {
  const sent: NotifyMessage[] = [];
  const failures: unknown[] = [];
  const pending: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const sender = new Sender({
    transport: (message) => {
      sent.push(message);
      return new Promise((resolve, reject) => pending.push({ resolve, reject }));
    },
    onFailure: (error) => failures.push(error),
  });
  const next = async (error?: Error): Promise<void> => {
    const first = pending.shift();
    if (error === undefined) first?.resolve();
    else first?.reject(error);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { sender, sent, failures, next };
}

describe("Sender", () => {
  it("sends one after the other, and of waiting statuses the last", async () => {
    const { sender, sent, next } = setUp();
    for (const lines of [["READY=1"], ["STATUS=a"], ["STATUS=b"], ["STOPPING=1", "STATUS=c"], ["STATUS=d"]]) {
      sender.send(lines);
    }
    expect(sent).toEqual([["READY=1"]]);
    const flushed = sender.flushed();
    for (let count = 0; count < 4; count += 1) await next();
    await flushed;
    expect(sent).toEqual([["READY=1"], ["STATUS=b"], ["STOPPING=1", "STATUS=c"], ["STATUS=d"]]);
    sender.send(["WATCHDOG=1"]);
    expect(sent.at(-1)).toEqual(["WATCHDOG=1"]);
  });

  it("says once that it fails, and goes on trying", async () => {
    const { sender, sent, failures, next } = setUp();
    for (const line of ["READY=1", "WATCHDOG=1", "STOPPING=1"]) sender.send([line]);
    await next(new Error("ENOENT"));
    await next(new Error("ENOENT"));
    await next();
    await sender.flushed();
    expect(sent).toHaveLength(3);
    expect(failures).toEqual([new Error("ENOENT")]);
  });

  it("keeps a bounded number for one who does not read", async () => {
    const { sender, sent, next } = setUp();
    for (let count = 0; count < 1000; count += 1) sender.send([`WATCHDOG=${count}`]);
    for (let count = 0; count < 200; count += 1) await next();
    await sender.flushed();
    expect(sent).toHaveLength(65);
  });
});
