/** What the figures were measured on: they say little without it. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { installed, ROOT } from "./serving.ts";

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly system: string;
}

/** What is asked for its version, and how. */
const TOOLS: Readonly<Record<string, readonly string[]>> = {
  wrk: ["-v"],
  h2load: ["--version"],
  openssl: ["version"],
  "redis-server": ["--version"],
  "nats-server": ["--version"],
};
const PACKAGES = ["pm2", "wattpm", "redis", "@nats-io/transport-node"];

export function describeMachine(): Machine {
  return {
    processor: os.cpus()[0]?.model ?? "unknown",
    cores: os.availableParallelism(),
    memoryGb: Math.round(os.totalmem() / 1e9),
    system: `${os.type()} ${os.release().split("-")[0] ?? ""}`,
  };
}

/** Of everything that takes part; what is not installed is left out. */
export function versions(nodeVersion: string): Record<string, string> {
  const found: Record<string, string> = { choir: packageVersion(ROOT) ?? "", node: nodeVersion };
  const fastify = packageVersion(path.join(ROOT, "node_modules/fastify"));
  if (fastify !== undefined) found["fastify"] = fastify;
  for (const name of PACKAGES) {
    const version = packageVersion(installed(name));
    if (version !== undefined) found[name] = version;
  }
  for (const tool of Object.keys(TOOLS)) {
    const version = toolVersion(tool);
    if (version !== undefined) found[tool] = version;
  }
  return found;
}

/** Undefined when it is not installed. */
export function toolVersion(tool: string): string | undefined {
  const { stdout, stderr, error } = spawnSync(tool, [...(TOOLS[tool] ?? ["--version"])], { encoding: "utf8" });
  if (error !== undefined) return undefined;
  return /\d+(\.\d+)+\w*/.exec(stdout + stderr)?.[0] ?? "unknown";
}

export function nodeVersionOf(execPath: string): string {
  const { stdout } = spawnSync(execPath, ["-p", "process.versions.node"], { encoding: "utf8" });
  return stdout.trim();
}

function packageVersion(folder: string): string | undefined {
  const file = path.join(folder, "package.json");
  if (!existsSync(file)) return undefined;
  return (JSON.parse(readFileSync(file, "utf8")) as { version?: string }).version;
}
