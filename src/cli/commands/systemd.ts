/** `choir systemd`: writes the unit files of an app, for the options given. It talks to no running app and to no systemd. */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { EXIT, type ExitCode } from "../../errors.ts";
import { print, printJson } from "../output.ts";
import type { CommandInput, CommandSpec } from "./command.ts";

export const systemd: CommandSpec = {
  name: "systemd",
  operands: "[start] <file>",
  mostOperands: Infinity,
  passThrough: true,
  summary: "Print systemd units for an app and its options",
  more:
    "What follows is the command line as it is run: `main.js -p 8080` for a file with a Runner, `start app.js -p 8080` for one without. " +
    "Options of choir systemd stand before it. Several units are printed one below the other: --output writes them to files. See docs/systemd.md.",
  flags: [
    { flag: "--user", about: "For your own user's systemd, not for the machine's" },
    { flag: "--socket", about: "Have systemd own the sockets, in a .socket unit: no restart refuses a connection" },
    { flag: "--name <name>", about: "Name of the units; default: from package.json or the file" },
    { flag: "--output <folder>", about: "Write the files into a folder, such as /etc/systemd/system" },
    { flag: "--for <version>", about: "Write for that version of systemd; default: that of this machine" },
    { flag: "--json", about: "Print an object of the files' texts by their names" },
  ],
  run,
};

async function run({ operands, flags }: CommandInput): Promise<ExitCode> {
  // Loaded by itself: no other command needs it.
  const { planUnits } = await import("../unit-plan.ts");
  const { renderUnits } = await import("../../systemd/unit.ts");
  const { plan, warnings } = planUnits(operands, flags);
  const files = renderUnits(plan);
  if (flags.output !== undefined) writeFiles(path.resolve(flags.output), files);
  else if (flags.json) printJson(files);
  else print(textOf(files));
  for (const warning of warnings) process.stderr.write(`choir: ${warning}\n`);
  return EXIT.ok;
}

/** As `systemctl cat` shows them: each below a comment with its name. */
function textOf(files: Readonly<Record<string, string>>): string {
  return Object.entries(files)
    .map(([name, text]) => `# ${name}\n${text}`)
    .join("\n");
}

function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(folder, name);
    writeFileSync(file, text);
    print(`${file}\n`);
  }
}
