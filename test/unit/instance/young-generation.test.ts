import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const MODULE = fileURLToPath(new URL("../../../dist/src/instance/young-generation.js", import.meta.url));

/** The room for new objects in MB, before and after `letGrow` was called, each time after much was made that survives for a while. */
function roomOf(flags: readonly string[]): number[] {
  const program = `
    const { getHeapSpaceStatistics } = await import("node:v8");
    const letGrow = (await import(${JSON.stringify(MODULE)})).keepYoungGenerationSmall();
    const room = () => {
      for (let kept = [], n = 0; n < 2e6; n++) kept = kept.length > 200000 ? [] : (kept.push({ n }), kept);
      return getHeapSpaceStatistics().find(({ space_name: name }) => name === "new_space").space_size / 2 ** 20;
    };
    const small = room();
    letGrow();
    console.log(JSON.stringify([small, room()]));`;
  const args = [...flags, "--input-type=module", "--eval", program];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as number[];
}

it("keeps the room for new objects as it is until the start is over", () => {
  const [small = 0, grown = 0] = roomOf([]);
  expect(small).toBeLessThanOrEqual(2);
  expect(grown).toBeGreaterThan(small);
});

it("leaves it to whoever has given V8's flag", () => {
  const [first = 0] = roomOf(["--semi-space-growth-factor=3"]);
  expect(first).toBeGreaterThan(4);
});
