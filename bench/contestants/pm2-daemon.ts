/** A daemon of PM2's with a home of its own. */
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { installed, type Surroundings } from "../serving.ts";

export interface Pm2Daemon {
  readonly pid: number;
  /** Runs `pm2`. */
  readonly command: (...args: string[]) => Promise<string>;
  /** Ends the apps and the daemon, and removes its home. */
  readonly stop: () => Promise<void>;
}

/** Why PM2 cannot take part; undefined if it can. */
export function pm2Missing(): string | undefined {
  return existsSync(installed("pm2")) ? undefined : "bench/ is not installed";
}

/** Starts a daemon; `environment` is that of the apps. */
export async function startPm2(
  { processes, node }: Surroundings,
  environment: Readonly<Record<string, string>>,
): Promise<Pm2Daemon> {
  const home = path.join(processes.temp, `pm2-${randomUUID()}`);
  mkdirSync(home);
  const env = { ...environment, PM2_HOME: home, PM2_DISABLE_VERSION_CHECK: "true" };
  const command = (...args: string[]): Promise<string> =>
    processes.run(node, [installed("pm2/bin/pm2"), ...args], { env });
  await command("ping");
  return {
    pid: Number(readFileSync(path.join(home, "pm2.pid"), "utf8")),
    command,
    async stop() {
      await command("kill");
      rmSync(home, { recursive: true, force: true });
    },
  };
}
