/** The known name that a misspelt one was probably meant for. Used in the supervisor only; a leaf. */

/** Finds the known name nearest to a typed one, or the only one that begins with it; undefined when none is near. */
export function nearestName(typed: string, known: readonly string[]): string | undefined {
  const begun = known.filter((name) => name.startsWith(typed));
  if (begun.length === 1) return begun[0];
  // A third of the letters may be wrong: more, and the suggestion would puzzle rather than help.
  let least = Math.max(1, Math.floor(typed.length / 3)) + 1;
  let nearest: string | undefined;
  for (const name of known) {
    const edits = editDistance(typed, name);
    if (edits < least) [least, nearest] = [edits, name];
  }
  return nearest;
}

/** Damerau–Levenshtein distance (optimal string alignment): letters left out, added, replaced, or swapped with the next. */
export function editDistance(a: string, b: string): number {
  let older: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const changed = a[row - 1] === b[column - 1] ? 0 : 1;
      const swapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      current[column] = Math.min(
        at(previous, column) + 1,
        at(current, column - 1) + 1,
        at(previous, column - 1) + changed,
        swapped ? at(older, column - 2) + 1 : Infinity,
      );
    }
    [older, previous] = [previous, current];
  }
  return at(previous, b.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity;
}
