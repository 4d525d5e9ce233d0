// Restarts, kills, stalls and replaces at random under every kind of client, for as long as it is told, and looks whether memory and
// descriptors stay flat: `npm run soak -- --minutes 30`. Compiles test/zero-loss/soak.ts, which does it; dist/ has to be built.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const { status } = spawnSync("npx", ["tsc", "-p", "test/zero-loss/tsconfig.soak.json"], {
  cwd: root,
  stdio: "inherit",
});
if (status !== 0) process.exit(1);
await import("../dist/soak/test/zero-loss/soak.js");
