/** Runs the `choir` command as a user would, to its end. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

const BIN = fileURLToPath(new URL("../../bin/choir.js", import.meta.url));
const DEADLINE_MS = 20_000;

export interface CommandEnd {
  readonly code: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command; `runtime` is where it looks for control sockets. */
export function runChoir(
  args: readonly string[],
  runtime: string,
  env: Record<string, string> = {},
): Promise<CommandEnd> {
  const { PATH } = process.env;
  const environment = { PATH, XDG_RUNTIME_DIR: runtime, TMPDIR: runtime, ...env };
  return new Promise((resolve) => {
    execFile(process.execPath, [BIN, ...args], { env: environment, timeout: DEADLINE_MS }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? error.signal ?? null), stdout, stderr });
    });
  });
}
