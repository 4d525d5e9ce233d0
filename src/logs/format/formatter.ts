/** Which form a sink's lines take. Runs in the supervisor; pure: what the environment says is an argument. */
import type { Formatter } from "../record.ts";
import { formatJson } from "./json.ts";
import { createPretty } from "./pretty.ts";

export interface FormatterOptions {
  readonly format: "auto" | "pretty" | "json";
  /** Whether the sink writes to a terminal. */
  readonly isTTY: boolean;
  readonly colors: boolean;
}

/** Makes the formatter for --log-format: `auto` is pretty on a terminal and JSON elsewhere. */
export function createFormatter({ format, isTTY, colors }: FormatterOptions): Formatter {
  return format === "json" || (format === "auto" && !isTTY) ? formatJson : createPretty({ colors });
}

/** Decides on colours: FORCE_COLOR over NO_COLOR, as Node itself does, then whether it is a terminal that knows them. */
export function wantsColors(isTTY: boolean, env: Readonly<Record<string, string | undefined>>): boolean {
  const forced = env["FORCE_COLOR"];
  if (forced !== undefined) return forced !== "0" && forced !== "false";
  if ((env["NO_COLOR"] ?? "") !== "") return false;
  return isTTY && env["TERM"] !== "dumb";
}
