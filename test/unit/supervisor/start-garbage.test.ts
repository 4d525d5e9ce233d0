import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { collectStartGarbage } from "../../../src/supervisor/start-garbage.ts";

it("collects what nobody holds, and leaves no gc() to the app", () => {
  const held = new WeakRef({ big: "x".repeat(100) });
  return new Promise<void>((resolve) => {
    // A WeakRef holds its target until the end of the turn that made it.
    setImmediate(() => {
      collectStartGarbage();
      expect(held.deref()).toBeUndefined();
      expect(runInNewContext("typeof gc")).toBe("undefined");
      expect(globalThis.gc).toBeUndefined();
      resolve();
    });
  });
});
