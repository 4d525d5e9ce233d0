/** What the code of a new generation asks for in vain is named, once, and never with a password. */
import { describe, expect, it } from "vitest";
import type { ChoirEvent } from "../../../src/events.ts";
import { resolveOptions } from "../../../src/options/resolve.ts";
import type { ToSupervisor } from "../../../src/protocol.ts";
import { declarationOf, type RunnerOptions } from "../../../src/runner-options.ts";
import { KeptOptions, keptOptions, type RunningOptions } from "../../../src/supervisor/kept-options.ts";

function running(code: RunnerOptions, args: string[] = []): RunningOptions {
  const resolution = resolveOptions({ args, environment: {}, code });
  if (resolution.kind !== "run") throw new Error("Help");
  return { declared: declarationOf("shop", code), ...resolution };
}

describe("kept options", () => {
  it("are those whose value in the code differs, with both values", () => {
    const before = running({ port: 8080, concurrency: 2, address: ["127.0.0.1"] });
    const now = declarationOf("shop", { port: 9000, concurrency: 2, address: ["127.0.0.1"], shutdownTimeout: 5000 });
    const kept = keptOptions(before, now);
    expect(kept).toHaveLength(2);
    expect(kept).toContainEqual({ option: "port", running: "8080", wanted: "9000" });
    expect(kept).toContainEqual({ option: "shutdownTimeout", running: "30000", wanted: "5000" });
  });

  it("are the name, and options that are no longer given", () => {
    expect(keptOptions(running({ port: 8080 }), declarationOf("store", {}))).toEqual([
      { option: "name", running: '"shop"', wanted: '"store"' },
      { option: "port", running: "8080", wanted: "the default" },
    ]);
  });

  it("are not those that the command line decides", () => {
    expect(keptOptions(running({ port: 8080 }, ["--port", "7000"]), declarationOf("shop", { port: 9000 }))).toEqual([]);
  });

  it("show no password", () => {
    const kept = keptOptions(
      running({ keyPassword: "old-secret" }),
      declarationOf("shop", { keyPassword: "new-secret" }),
    );
    expect(kept).toHaveLength(1);
    expect(JSON.stringify(kept)).not.toContain("secret");
  });

  it("are said of the first generation where the supervisor has not read the code, as under choir start", () => {
    const events: ChoirEvent[] = [];
    const kept = new KeptOptions(running({}), (event) => events.push(event));
    const message = { choir: "declared", ...declarationOf("shop", { port: 9000 }) } as ToSupervisor;
    kept.attach({ onMessage: (listener) => listener(message) }, 0);
    expect(events).toEqual([
      { event: "options-kept", generation: 0, options: [{ option: "port", running: "3000", wanted: "9000" }] },
    ]);
  });

  it("are said once for a generation, and nonsense on the channel is nobody's", () => {
    const events: ChoirEvent[] = [];
    const kept = new KeptOptions(running({ port: 8080 }), (event) => events.push(event));
    const hear = (message: unknown, generation: number): void =>
      kept.attach({ onMessage: (listener) => listener(message as ToSupervisor) }, generation);
    hear({ choir: "declared", name: 7, options: {} }, 1);
    hear({ choir: "declared", name: "shop", options: { port: {} } }, 1);
    hear({ choir: "declared", name: "shop", options: null }, 1);
    hear({ choir: "declared", ...declarationOf("shop", { port: 9000 }) }, 1);
    hear({ choir: "declared", ...declarationOf("shop", { port: 9000 }) }, 1);
    hear({ choir: "declared", ...declarationOf("shop", { port: 8080 }) }, 2);
    expect(events).toEqual([
      { event: "options-kept", generation: 1, options: [{ option: "port", running: "8080", wanted: "9000" }] },
    ]);
  });
});
