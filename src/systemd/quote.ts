/** Writes values as unit files take them (systemd.service(5), systemd.unit(5)). Pure. */

/** A word of a command line: specifiers and variables in it are no such thing. */
export function unitWord(text: string): string {
  const escaped = escapePercent(text).replaceAll("$", "$$$$");
  return /^[\w@%+=:,./~$-]+$/.test(escaped) ? escaped : `"${escaped.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

/** A value that goes to the end of its line. */
export function unitText(text: string): string {
  return escapePercent(text.replaceAll(/[\r\n]+/g, " "));
}

/** A time span, from milliseconds, rounded up to seconds. */
export function unitSeconds(ms: number): string {
  return `${Math.ceil(ms / 1000)}s`;
}

function escapePercent(text: string): string {
  return text.replaceAll("%", "%%");
}
