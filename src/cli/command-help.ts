/** The help of the `choir` command and of each of its own commands, from their specs. Pure. */
import type { CommandSpec, CommandSummary } from "./commands/command.ts";

const WIDTH = 80;
const LEFT = 26;

/** Renders what `choir --help` prints. */
export function overallHelp(commands: readonly CommandSummary[]): string {
  const rows = commands.map(({ name, operands, summary }) => row(`${name} ${operands}`, summary));
  return sections(
    "Usage: choir <command> [options]",
    fill(
      "Runs an app, and steers running ones. An app is found by its name, which may be left away where only one is running.",
    ).join("\n"),
    ["Commands:", ...rows].join("\n"),
    [
      "Options:",
      row("-h, --help", "Print this help, or that of a command"),
      row("-v, --version", "Print Choir's version"),
    ].join("\n"),
    ["Exit codes:", ...CODES.map(([code, text]) => row(code, text, 6))].join("\n"),
  );
}

/** Renders what `choir <command> --help` prints. */
export function commandHelp({ name, operands, summary, more, flags }: CommandSpec): string {
  return sections(
    `Usage: choir ${name} ${operands} [options]`,
    `${summary}.\n${fill(more).join("\n")}`,
    ["Options:", ...flags.map(({ flag, about }) => row(flag, about)), row("-h, --help", "Print this help")].join("\n"),
  );
}

const CODES: readonly (readonly [string, string])[] = [
  ["0", "done"],
  ["1", "the restart was taken back, or the app did not end well"],
  ["64", "wrong usage, or several apps and no name"],
  ["69", "no such app is running, or it does not answer"],
];

function sections(...texts: string[]): string {
  return `${texts.join("\n\n")}\n`;
}

function row(left: string, text: string, width = LEFT): string {
  const indent = " ".repeat(width);
  return `  ${left}`.padEnd(width) + fill(text, WIDTH - width).join(`\n${indent}`);
}

/** Fills lines with words. */
function fill(text: string, width = WIDTH): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = `${lines.at(-1) ?? ""} ${word}`;
    if (lines.length > 0 && line.length <= width) lines[lines.length - 1] = line;
    else lines.push(word);
  }
  return lines;
}
