/**
 * What a configuration file may hold, and the messages about what it must not. Pure, used in the supervisor only;
 * src/cli/config-file.ts reads the file.
 */
import { type ChoirError, quote } from "../errors.ts";
import { nearestName } from "./nearest.ts";
import { configError, type Origin, wrongValue } from "./origin.ts";
import { type AnyOptionName, type Kind, OPTION_NAMES, type OptionValue, specOf, START_OPTION_NAMES } from "./table.ts";
import { checkValue, type Checked, parseText, quoteCode } from "./values.ts";

/** A configuration file that was read. */
export interface FileOptions {
  /** As messages show it. */
  readonly file: string;
  /** Its text, for the line that a message names. */
  readonly text: string;
  /** What it exports or holds. */
  readonly content: unknown;
}

/** A value with where it came from. */
export interface Found {
  readonly value: OptionValue;
  readonly origin: Origin;
}

/** What a file may hold besides options. */
const FILE_EXTRAS = ["responseHeaders", "removeResponseHeaders"] as const;
/** For editors: where the JSON Schema is. */
const SCHEMA_KEY = "$schema";

/** Written as on the command line, with their unit, or as in code: a bare number is in milliseconds or bytes there. */
const WRITTEN_KINDS: ReadonlySet<Kind> = new Set(["duration", "size", "memory", "mode"]);

/** Checks the options that the file holds; throws ERR_CHOIR_CONFIG for the first that is wrong. A Runner has no use for `module`. */
export function checkFile(
  names: readonly AnyOptionName[],
  file: FileOptions | undefined,
): ReadonlyMap<AnyOptionName, Found> {
  const checked = new Map<AnyOptionName, Found>();
  for (const [name, value] of file === undefined ? [] : entriesOf(file)) {
    if (file === undefined || value === undefined || name === SCHEMA_KEY || isExtra(name)) continue;
    if (!isFileOption(name)) throw unknownName(name, file);
    const origin: Origin = { from: "file", name: placeOf(file, name) };
    const result = checkFileValue(name, value);
    if (!("value" in result)) throw wrongValue(name, quoteCode(value), { problem: result, origin });
    if (names.includes(name)) checked.set(name, { value: result.value, origin });
  }
  return checked;
}

/** The file with the line on which a key stands, where it can be found: a key may be computed. */
function placeOf({ file, text }: Pick<FileOptions, "file" | "text">, key: string): string {
  const escaped = key.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  const at = new RegExp(`(?:^|[\\s{,])(["'\`]?)${escaped}\\1\\s*[:,}]`).exec(text);
  if (at === null) return file;
  const start = at.index + at[0].search(/[^\s{,]/);
  return `${file}:${text.slice(0, start).split("\n").length}`;
}

function entriesOf({ file, content }: FileOptions): [string, unknown][] {
  if (typeof content === "object" && content !== null && !Array.isArray(content)) return Object.entries(content);
  const got = content === undefined ? "nothing" : quote(content);
  throw configError(`${file} must hold an object of options, got ${got}`, {
    hint: "Write export default defineConfig({ … }), or an object in JSON",
  });
}

function checkFileValue(name: AnyOptionName, value: unknown): Checked {
  const spec = specOf(name);
  return typeof value === "string" && WRITTEN_KINDS.has(spec.kind) ? parseText(spec, value) : checkValue(spec, value);
}

/** `config` itself is no option of the file. */
const FILE_OPTIONS: readonly string[] = [...START_OPTION_NAMES, ...OPTION_NAMES].filter((name) => name !== "config");

function isFileOption(name: string): name is AnyOptionName {
  return FILE_OPTIONS.includes(name);
}

function isExtra(name: string): boolean {
  return (FILE_EXTRAS as readonly string[]).includes(name);
}

function unknownName(name: string, file: FileOptions): ChoirError {
  const nearest = nearestName(name, [...FILE_OPTIONS, ...FILE_EXTRAS]);
  const advice = nearest === undefined ? "" : `, did you mean ${nearest}?`;
  return configError(`Unknown option ${quote(name)} in ${placeOf(file, name)}${advice}`, {
    hint: "docs/options.md lists all options; --config off leaves the file out",
  });
}
