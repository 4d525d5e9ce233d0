// All that CI checks besides the tests, each step once, stopping at the first that fails.
import { spawnSync } from "node:child_process";

const STEPS = [
  ["npm", "run", "--silent", "build"],
  ["npx", "tsc", "-p", "test"],
  ["npx", "oxfmt", "--check"],
  ["npx", "oxlint", "--type-aware"],
  ["npx", "knip", "--treat-config-hints-as-errors"],
  ["npx", "publint", "--strict"],
  ["npx", "attw", "--pack", ".", "--profile", "esm-only"],
  ["node", "scripts/generate-docs.mjs", "--check"],
  ["npx", "vitest", "run", "--project", "unit"],
];

for (const [command, ...args] of STEPS) {
  console.log(`> ${[command, ...args].join(" ")}`);
  const { status } = spawnSync(command, args, { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
