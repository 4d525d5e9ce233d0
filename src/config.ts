/** What choir.config.ts holds: the options of the table, written as on the command line or as in code. Used in configuration files. */
import type { HeaderPolicyOptions } from "./http/headers.ts";
import type { FileValues } from "./options/table.ts";

/** The options of a configuration file: flags and the environment win over them. */
export interface Config extends FileValues, Pick<HeaderPolicyOptions, "responseHeaders" | "removeResponseHeaders"> {}

/** Gives its argument back: for the types. `export default defineConfig({ port: 8080, shutdownTimeout: "20s" });` */
export function defineConfig(config: Config): Config {
  return config;
}
