/** Keeps what an app writes from acting on the terminal or on the reader of a log. Runs in the supervisor; pure. */

// Cc: ESC, CR, BEL, DEL and C1, which steer terminals. Bidi controls reorder what a person reads; U+2028 and U+2029 are line
// breaks to some readers of logs. A tab only moves the cursor.
const UNSAFE = /(?!\t)[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u;
const EVERY_UNSAFE = new RegExp(UNSAFE, "gu");

/** Escapes what is unsafe in one line for a person: ESC is shown as `\x1b`. */
export function escapeForTerminal(line: string): string {
  return UNSAFE.test(line) ? line.replace(EVERY_UNSAFE, visible) : line;
}

/** Escapes what is unsafe in JSON text without changing its value. */
export function escapeInJson(json: string): string {
  return UNSAFE.test(json) ? json.replace(EVERY_UNSAFE, sameInJson) : json;
}

function visible(character: string): string {
  if (character === "\r") return String.raw`\r`;
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`;
}

function sameInJson(character: string): string {
  // Between tokens JSON allows a raw CR; everything else unsafe can only be inside a string.
  return character === "\r" ? " " : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
