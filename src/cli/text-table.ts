/** Aligned columns for a terminal. Used by the `choir` command; pure. */
import { escapeForTerminal } from "../logs/format/escape.ts";

export interface Column {
  readonly title: string;
  /** Numbers stand at the right. */
  readonly right?: boolean;
}

/** Renders rows below their titles, two blanks apart, ending with a line break. What an app may have written is escaped. */
export function textTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const lines = [columns.map(({ title }) => title), ...rows.map((row) => row.map(escapeForTerminal))];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  return lines
    .map((line) =>
      columns
        .map((column, index) => pad(line[index] ?? "", widths[index] ?? 0, column))
        .join("  ")
        .trimEnd(),
    )
    .join("\n")
    .concat("\n");
}

function pad(text: string, width: number, { right = false }: Column): string {
  return right ? text.padStart(width) : text.padEnd(width);
}
