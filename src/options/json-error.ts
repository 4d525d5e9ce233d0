/** Finds the line on which a text stops being JSON: Node's message does not always say. Pure, used in the supervisor only. */

/** The number of the line, from 1. For a text that ends too early, its last. */
export function jsonErrorLine(text: string): number {
  // A text is wrong from the first character on that no continuation could mend: then the error is not at its end any more.
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (isBroken(text.slice(0, middle + 1))) high = middle;
    else low = middle + 1;
  }
  return text.slice(0, low).split("\n").length - (low === text.length && text.endsWith("\n") ? 1 : 0);
}

/** Whether the beginning of a text can never become JSON. */
function isBroken(prefix: string): boolean {
  try {
    JSON.parse(prefix);
    return false;
  } catch (error) {
    const message = String(error);
    if (/end of JSON|Unterminated/.test(message)) return false;
    const at = /position (\d+)/.exec(message)?.[1];
    return at === undefined || Number(at) < prefix.length;
  }
}
