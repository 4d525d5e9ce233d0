/** Which form a sink's lines take. Runs in the supervisor; pure: what the environment says is an argument. */
import type { Encoding } from "../encode/encoder.ts";
import { formatJournal } from "./journal.ts";
import { createPretty } from "./pretty.ts";

export interface EncodingOptions {
  readonly format: "auto" | "pretty" | "json" | "journal" | "raw";
  /** Whether the sink writes to a terminal. */
  readonly isTTY: boolean;
  /** Whether systemd's journal reads what the sink writes. */
  readonly isJournal: boolean;
  readonly colors: boolean;
}

/** Chooses for --log-format: `auto` is pretty on a terminal, the journal's own form for the journal, and JSON elsewhere. */
export function chooseEncoding({ format, isTTY, isJournal, colors }: EncodingOptions): Encoding {
  if (format === "json" || format === "raw") return format;
  if (format === "journal") return formatJournal;
  if (format === "pretty" || isTTY) return createPretty({ colors });
  return isJournal ? formatJournal : "json";
}

/** Whether a stream is the journal's: systemd says which one it has connected, by device and inode. */
export function isJournalStream(
  facts: { readonly dev: number; readonly ino: number },
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  return env["JOURNAL_STREAM"] === `${facts.dev}:${facts.ino}`;
}

/** Decides on colours: FORCE_COLOR over NO_COLOR, as Node itself does, then whether it is a terminal that knows them. */
export function wantsColors(isTTY: boolean, env: Readonly<Record<string, string | undefined>>): boolean {
  const forced = env["FORCE_COLOR"];
  if (forced !== undefined) return forced !== "0" && forced !== "false";
  if ((env["NO_COLOR"] ?? "") !== "") return false;
  return isTTY && env["TERM"] !== "dumb";
}
