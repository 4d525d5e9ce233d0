// Adds up vitest's JSON results: `node .ci/sum.mjs FOLDER FAILED_STEPS`. A skipped test counts as failed: CI installs all it needs.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

const [folder, failedSteps] = process.argv.slice(2);
let passed = 0;
let failed = 0;
console.log();
for (const file of readdirSync(folder).sort()) {
  const result = JSON.parse(readFileSync(path.join(folder, file), "utf8"));
  const skipped = result.numPendingTests + result.numTodoTests;
  console.log(
    `${path.basename(file, ".json")}: ${result.numPassedTests} passed, ${result.numFailedTests} failed, ${skipped} skipped`,
  );
  passed += result.numPassedTests;
  failed += result.numFailedTests + skipped;
}
// A step that failed without a failed test (a check, an install, a suite that could not even start) must show in the sum.
if (failed === 0) failed = Number(failedSteps);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
