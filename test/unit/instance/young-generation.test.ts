import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const [MODULE, FIXTURE] = ["../../../dist/src/instance/young-generation.js", "../../fixtures/young-growth.mjs"].map(
  (file) => fileURLToPath(new URL(file, import.meta.url)),
);

/** The room for new objects in MB, before and after `letGrow` was called, each time after much was made that survives for a while. */
function roomOf(flags: readonly string[]): number[] {
  const program = `
    const letGrow = (await import(${JSON.stringify(MODULE)})).keepYoungGenerationSmall();
    const { fillYoung, youngRoom } = await import(${JSON.stringify(FIXTURE)});
    fillYoung();
    const small = youngRoom();
    letGrow();
    fillYoung();
    console.log(JSON.stringify([small, youngRoom()]));`;
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
