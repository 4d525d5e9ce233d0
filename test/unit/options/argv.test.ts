// The command line: what each form means, and what is said of a wrong one.
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ChoirError } from "../../../src/errors.ts";
import { parseArguments } from "../../../src/options/argv.ts";

function flags(...args: string[]) {
  const line = parseArguments(args);
  if (line.kind === "help") throw new Error("Got help");
  return Object.fromEntries(line.flags);
}

function refusal(...args: string[]): string {
  try {
    parseArguments(args);
  } catch (thrown) {
    if (!(thrown instanceof ChoirError)) throw thrown;
    expect([thrown.code, thrown.exitCode]).toEqual(["ERR_CHOIR_OPTION", 64]);
    return thrown.message;
  }
  return "nothing was refused";
}

describe("what is taken", () => {
  it.each<[string[], object]>([
    [[], {}],
    [["--port", "80"], { port: 80 }],
    [["--port=80"], { port: 80 }],
    [["-p", "80"], { port: 80 }],
    [["-p80"], { port: 80 }],
    [["-p", "80", "--port=81"], { port: 81 }],
    [["-j", "auto", "-j4"], { concurrency: 4 }],
    [["-a", "::1", "--address=127.0.0.1"], { address: ["::1", "127.0.0.1"] }],
    [["--address=unix:/tmp/a=b.sock"], { address: ["unix:/tmp/a=b.sock"] }],
    [["--no-respawn"], { respawn: false }],
    [["--no-respawn", "--respawn"], { respawn: true }],
    [["--quiet", "--start-timeout", "90s"], { quiet: true, startTimeout: 90_000 }],
  ])("%j", (args, expected) => {
    expect(flags(...args)).toEqual(expected);
  });

  it("leaves what follows -- to the app, whatever it is", () => {
    const rest = ["--port", "x", "--", "--help"];
    expect(parseArguments(["-p", "80", "--", ...rest])).toEqual({
      kind: "run",
      flags: new Map([["port", 80]]),
      operands: [],
      rest,
    });
  });

  it.each([[["--help"]], [["-h"]], [["--port", "x", "-h"]], [["--prot", "--help"]], [["stray", "-h", "--", "a"]]])(
    "help wins in %j",
    (args) => {
      expect(parseArguments(args)).toEqual({ kind: "help" });
    },
  );
});

describe("what is refused", () => {
  it.each<[string[], string]>([
    [["--port", "x"], '--port must be a whole number from 0 to 65535, got "x" (from the command line)'],
    [["-p", "x", "-p", "80"], '--port must be a whole number from 0 to 65535, got "x" (from the command line)'],
    [["-p=80"], '--port must be a whole number from 0 to 65535, got "=80" (from the command line)'],
    [["--port="], '--port must be a whole number from 0 to 65535, got "" (from the command line)'],
    [
      ["--bind-retry", "5"],
      '--bind-retry must be a time with its unit, such as 500ms, 10s, 5m, 2h or 1d, got "5" (from the command line): write 5s or 5ms',
    ],
    [["--port"], "--port needs a value"],
    [["--quiet", "-p"], "--port needs a value"],
    [["--port", "--"], "--port needs a value"],
    [["--address", "--quiet"], "--address needs a value, got the option --quiet"],
    [["--prot", "80"], "Unknown option --prot, did you mean --port?"],
    [["--prot=80"], "Unknown option --prot, did you mean --port?"],
    [["-port", "80"], "Unknown option -port, did you mean --port?"],
    [["-port=80"], "Unknown option -port, did you mean --port?"],
    [["-address", "::1"], "Unknown option -address, did you mean --address?"],
    [["-q"], "Unknown option -q, did you mean --quiet?"],
    [["--port", " 80"], '--port must be a whole number from 0 to 65535, got " 80" (from the command line)'],
    [["-quiet"], "Unknown option -quiet, did you mean --quiet?"],
    [["--frobnicate"], "Unknown option --frobnicate; --help lists all options"],
    [["-x"], "Unknown option -x; --help lists all options"],
    [["--no-quiet"], "Unknown option --no-quiet: --quiet cannot be negated"],
    [["--no-port"], "Unknown option --no-port: --port cannot be negated"],
    [["--quiet=yes"], '--quiet takes no value, got "yes": write --quiet or leave it away'],
    [["--respawn=false"], '--respawn takes no value, got "false": write --respawn or --no-respawn'],
    [["--no-respawn=1"], '--no-respawn takes no value, got "1": write --no-respawn or leave it away'],
    [["--quiet", "true"], 'Unexpected argument "true": the app\'s own arguments follow --'],
    [["80"], 'Unexpected argument "80": the app\'s own arguments follow --'],
    [["-1"], 'Unexpected argument "-1": the app\'s own arguments follow --'],
    [[""], 'Unexpected argument "": the app\'s own arguments follow --'],
  ])("%j", (args, message) => {
    expect(refusal(...args)).toBe(message);
  });
});

it("answers any line with a value or a ChoirError", () => {
  const word = fc.oneof(
    fc.string({ maxLength: 6 }),
    fc.constantFrom(
      "-p",
      "--port",
      "-a",
      "--quiet",
      "--no-respawn",
      "--",
      "-j4",
      "--ready=auto",
      "80",
      "-",
      "__proto__",
    ),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (args) => {
      try {
        expect(["help", "run"]).toContain(parseArguments(args).kind);
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(ChoirError);
      }
    }),
  );
});
