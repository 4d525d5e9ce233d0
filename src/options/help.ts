/** The text of `--help` and the banner, from the table. Used in the supervisor only; prints nothing itself. */
import { EXIT_MEANINGS } from "../errors.ts";
import {
  type AnyOptionName,
  flagOf,
  OPTION_NAMES,
  type OptionGroup,
  type OptionValue,
  specOf,
  START_OPTION_NAMES,
  type TableOptions,
} from "./table.ts";
import { formatValue } from "./values.ts";

export interface HelpInput {
  /** The width to fill; 80 when not given, as where no terminal is. */
  readonly columns?: number | undefined;
  /** What starts the program: `node main.js`. */
  readonly program: string;
  /** The Runner's name. */
  readonly name: string;
  /** The Runner's own options, which are the defaults of its command line. */
  readonly defaults?: TableOptions;
  /** Whether it is `choir start` or `choir check`, which have options of their own. */
  readonly forModule?: boolean;
}

/** The groups of options in the order of help and docs, with their headings. */
export const GROUPS: Readonly<Record<OptionGroup, string>> = {
  start: "What to run",
  general: "General",
  address: "Where to listen",
  tls: "TLS and HTTP/2",
  limits: "Limits of the HTTP server",
  life: "Life of an instance",
  metrics: "Metrics and dashboard",
  messaging: "Messages between machines",
  logs: "Output",
};

/** Where the right column begins, and what remains of it at least on a narrow terminal. */
const LEFT = 33;
const LEAST_RIGHT = 24;

/** Renders the banner that help begins with, and a start on a terminal. */
export function banner(): string {
  return String.raw`
   ____ _   _  ___  ___ ____
  / ___| | | |/ _ \|_ _|  _ \
 | |   | |_| | | | || || |_) |
 | |___|  _  | |_| || ||  _ <
  \____|_| |_|\___/|___|_| \_\

 Many instances, one port: runs Node.js HTTP apps in production
`.slice(1);
}

/** Renders the help of a program, ending with a line break. */
export function renderHelp(input: HelpInput): string {
  const { program, name, columns = 80, defaults = {}, forModule = false } = input;
  const width = Math.max(LEFT + LEAST_RIGHT, columns);
  const paragraph = (text: string, indent = "") => wrap(text.split(" "), width, indent).join("\n");
  const names: readonly AnyOptionName[] = forModule ? [...START_OPTION_NAMES, ...OPTION_NAMES] : OPTION_NAMES;
  const given: Readonly<Partial<Record<AnyOptionName, OptionValue | undefined>>> = defaults;
  const shownGroups = (Object.keys(GROUPS) as OptionGroup[]).filter((group) => forModule || group !== "start");
  const groups = shownGroups.map((group) => {
    const options = names.filter((option) => specOf(option).group === group);
    const rows = options.map((option) => renderRow(leftOf(option), rightOf(option, given[option]), width));
    if (group === "general") rows.unshift(renderRow("-h, --help", ["Print this help and exit"], width));
    return [`${GROUPS[group]}:`, ...rows].join("\n");
  });
  const codes = Object.entries(EXIT_MEANINGS).map(([code, text]) =>
    paragraph(`${code.padStart(4)}  ${text}`, "      "),
  );
  const shown = examples(forModule ? `${program} app.js` : program).map(([command, text]) =>
    renderRow(command, text.split(" "), width),
  );
  return [
    banner().trimEnd(),
    paragraph(`Usage: ${program}${forModule ? " <file>" : ""} [options] [-- arguments of the app]`),
    paragraph(`Runs instances of ${name} that share one port, and starts new ones in the place of those that crash.`),
    ...groups,
    ["Examples:", ...shown].join("\n"),
    NOTES.map((note) => paragraph(note)).join("\n"),
    ["Exit codes:", ...codes].join("\n"),
  ]
    .join("\n\n")
    .concat("\n");
}

/** Renders an option as it is written: `-p, --port <n>`, with room for the letter where it has none. */
export function leftOf(name: AnyOptionName): string {
  const { short, negatable = false, kind, placeholder = kind } = specOf(name);
  const flag = negatable ? flagOf(name).replace("--", "--[no-]") : flagOf(name);
  const letter = short === undefined ? "    " : `-${short}, `;
  return kind === "boolean" ? `${letter}${flag}` : `${letter}${flag} <${placeholder}>`;
}

/** Renders a default as the command line takes it; undefined where none is worth saying. */
export function defaultOf(name: AnyOptionName, own?: OptionValue): string | undefined {
  const spec = specOf(name);
  const value = own ?? spec.default;
  if (spec.secret === true) return undefined;
  if (own === undefined && spec.defaultText !== undefined) return spec.defaultText;
  if (value === undefined) return undefined;
  if (typeof value === "boolean") return value ? "on" : "off";
  return formatValue(spec, value as OptionValue);
}

/** The words of the right column; a fact in brackets is one, so that no line ends inside it. */
function rightOf(name: AnyOptionName, own: OptionValue | undefined): string[] {
  const spec = specOf(name);
  const value = defaultOf(name, own);
  const facts: string[] = [];
  // That a switch is off at first goes without saying, unless it has a flag to turn it off with.
  if (value !== undefined && (value !== "off" || spec.negatable === true)) facts.push(`default ${value}`);
  if (spec.env !== undefined) facts.push(`env ${spec.env}`);
  const bracketed = facts.map(
    (fact, index) => `${index === 0 ? "[" : ""}${fact}${index === facts.length - 1 ? "]" : ","}`,
  );
  return [...spec.help.split(" "), ...bracketed];
}

function renderRow(left: string, words: readonly string[], width: number): string {
  const start = `  ${left}`;
  const [first = "", ...others] = wrap(words, width - LEFT, "");
  // A flag that reaches into the right column has its line for itself.
  const lines = start.length + 2 > LEFT ? [start, `${" ".repeat(LEFT)}${first}`] : [start.padEnd(LEFT).concat(first)];
  return [...lines, ...others.map((line) => `${" ".repeat(LEFT)}${line}`)].join("\n");
}

/** Fills lines with words; every line but the first begins with `indent`. */
function wrap(words: readonly string[], width: number, indent: string): string[] {
  const [first = "", ...others] = words;
  const lines = [first];
  for (const word of others) {
    const line = `${lines.at(-1)} ${word}`;
    if (line.length <= width) lines[lines.length - 1] = line;
    else lines.push(`${indent}${word}`);
  }
  return lines;
}

function examples(program: string): [string, string][] {
  return [
    [program, "one instance per CPU, for this machine only"],
    [`${program} -a 0.0.0.0 -p 8080 -j 4`, "four instances on port 8080, for other machines too"],
    [`${program} -a unix:/run/app.sock`, "on a Unix socket, behind a proxy"],
  ];
}

const NOTES: readonly string[] = [
  "Every option can be set in the environment as well: CHOIR_ and its name, as CHOIR_START_TIMEOUT=90s for --start-timeout 90s or CHOIR_RESPAWN=no for --no-respawn.",
  "A flag wins over the environment, that over choir.config.ts, .js, .mjs or .json in the working directory, and that over what the program itself sets.",
  "A <time> has a unit: 500ms, 10s, 5m, 2h, 1d.",
  "SIGTERM and Ctrl-C let the requests in flight finish, then end the program; a second one, more than a second later, ends it at once. SIGHUP restarts the instances one after the other, with new code, where no terminal is attached; SIGTTIN and SIGTTOU start one more and end one.",
];
