// Compiles src/, examples/ and bench/ into dist/, and puts the dashboard's page beside its scripts there. Runs at `npm ci` (prepare) and before every test: what is tested is what ships.
import { spawnSync } from "node:child_process";
import { copyFileSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const tsc = path.join(path.dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");

const page = "src/control/dashboard/page";

rmSync(path.join(root, "dist"), { recursive: true, force: true });
for (const project of ["tsconfig.json", `${page}/tsconfig.json`, "examples/tsconfig.json", "bench/tsconfig.json"]) {
  const { status } = spawnSync(process.execPath, [tsc, "-p", path.join(root, project)], { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
for (const name of readdirSync(path.join(root, page))) {
  if (/\.(css|html|svg)$/.test(name)) copyFileSync(path.join(root, page, name), path.join(root, "dist", page, name));
}
