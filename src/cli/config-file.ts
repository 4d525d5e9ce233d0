/** Finds and reads choir.config.ts, .js, .mjs or .json. Runs in the supervisor. */
import type { FileOptions } from "../options/config-options.ts";

/** Reads the file that --config names, or the one that there is; undefined when there is none, or --config is off. */
export async function readConfigFile(_given: string | undefined, _cwd: string): Promise<FileOptions | undefined> {
  return undefined;
}
