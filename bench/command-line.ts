/** What `npm run bench` was asked for. */
import { parseArgs } from "node:util";

export interface Request {
  /** Rows by name; undefined: all. */
  readonly only: readonly string[] | undefined;
  /** Contestants by name; undefined: all. */
  readonly peers: readonly string[] | undefined;
  readonly rounds: number;
  /** How long all of it may take; what there is no time for is left out. */
  readonly minutes: number;
  /** Of each measurement. */
  readonly seconds: number;
  /** The Node.js to run contestants on; undefined: the one that bench/ pins. */
  readonly node: string | undefined;
  /** Whether peers are installed first. */
  readonly install: boolean;
  readonly help: boolean;
}

export const USAGE = `npm run bench -- [options]

  --only row,…      these rows only
  --peers name,…    these contestants only, and Choir
  --rounds n        how often each is measured (8)
  --seconds n       how long each measurement takes (2)
  --minutes n       how long all of it may take: then rounds are left out (25)
  --node file       the Node.js to run contestants on (the one that bench/package.json pins)
  --no-install      take bench/node_modules as it is, or do without
  --help

A run of all rows and all contestants writes bench/results/latest.json, docs/benchmarks.svg and the tables of docs/benchmarks.md;
any other prints its table, and leaves it in bench/results/last-run.json.
`;

/** Throws a TypeError that says what is wrong with the arguments. */
export function readCommandLine(args: readonly string[]): Request {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      peers: { type: "string" },
      rounds: { type: "string", default: "8" },
      seconds: { type: "string", default: "2" },
      minutes: { type: "string", default: "25" },
      node: { type: "string" },
      "no-install": { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  return {
    only: list(values.only),
    peers: list(values.peers),
    rounds: wholeNumber("--rounds", values.rounds),
    seconds: wholeNumber("--seconds", values.seconds),
    minutes: wholeNumber("--minutes", values.minutes),
    node: values.node,
    install: !values["no-install"],
    help: values.help,
  };
}

function list(text: string | undefined): string[] | undefined {
  return text?.split(",").map((name) => name.trim());
}

function wholeNumber(option: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1)
    throw new TypeError(`${option} must be a whole number of at least 1, got "${text}"`);
  return number;
}
