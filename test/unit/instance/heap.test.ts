// V8 tells one limit for two generations: what is left for the old one, by flag and by version.
import { describe, expect, it } from "vitest";
import { heapGauge, oldGenerationLimit } from "../../../src/instance/heap.ts";
import { nodeFlag } from "../../../src/options/environment.ts";

const MIB = 2 ** 20;

describe("oldGenerationLimit", () => {
  // Measured: process.versions.v8 and heap_size_limit of Node 20, 22, 24 and 26 with the given flags.
  it.each([
    ["11.3.244.8-node.38", 4144, {}, 4096],
    ["12.4.254.21-node.60", 4144, {}, 4096],
    ["13.6.233.17-node.55", 4288, {}, 4096],
    ["14.6.202.33-node.31", 4192, {}, 4096],
    ["13.6.233.17-node.55", 288, { "max-old-space-size": "96" }, 96],
    ["11.3.244.8-node.38", 2048 + 192, { "max-semi-space-size": "64" }, 2048],
    // A small machine, where the young generation is smaller than usual: too early is better than never.
    ["13.6.233.17-node.55", 260, {}, 208],
  ])("V8 %s, %d MiB in all, %j: %d MiB", (v8, heapLimit, flags: Record<string, string>, expected) => {
    expect(oldGenerationLimit(heapLimit * MIB, { flag: (name) => flags[name], v8 })).toBe(expected * MIB);
  });
});

describe("heapGauge", () => {
  it("is a share of the limit", () => {
    const gauge = heapGauge();
    const before = gauge();
    expect(before).toBeGreaterThan(0);
    expect(before).toBeLessThan(1);
  });
});

describe("nodeFlag", () => {
  it("reads NODE_OPTIONS, with dashes or underscores, the last one", () => {
    const environment = { NODE_OPTIONS: "--max-old-space-size=100 --max_old_space_size=200 --max-semi-space-size 8" };
    expect(nodeFlag("max-old-space-size", environment)).toBe("200");
    expect(nodeFlag("max-semi-space-size", environment)).toBe("8");
    expect(nodeFlag("max-http-header-size", environment)).toBeUndefined();
    expect(nodeFlag("max-old-space-size", {})).toBeUndefined();
  });
});
