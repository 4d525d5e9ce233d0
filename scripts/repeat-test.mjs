// Finds flaky tests: `npm run test:repeat -- test/integration/respawn.test.ts 50` stops at the first failure.
import { spawnSync } from "node:child_process";

const [file, times = "10"] = process.argv.slice(2);
if (file === undefined) {
  console.error("Usage: npm run test:repeat -- FILE [TIMES]");
  process.exit(64);
}
for (let run = 1; run <= Number(times); run += 1) {
  const { status } = spawnSync("npx", ["vitest", "run", file], { stdio: "inherit" });
  console.log(`run ${run} of ${times}: ${status === 0 ? "passed" : "failed"}`);
  if (status !== 0) process.exit(1);
}
