/** `choir systemd`, and what systemd itself says of the units that it prints. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { describeWith } from "../helpers/programs.ts";
import { type CommandEnd, runChoir } from "../helpers/run-choir.ts";

// Not below /tmp itself, which a service does not see.
const folder = mkdtempSync(path.join(tmpdir(), "choir-units-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const app = path.join(folder, "shop app.js");
writeFileSync(app, "");

const choir = (...args: string[]): Promise<CommandEnd> => runChoir(["systemd", ...args], folder);

function analyze(...args: string[]): Promise<{ code: number; text: string }> {
  return new Promise((resolve) => {
    execFile("systemd-analyze", args, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), text: stdout + stderr });
    });
  });
}

describeWith({ programs: ["systemd-analyze"] }, "systemd", () => {
  it.each<[string, string[], number]>([
    ["of a service", [app, "-p", "8080"], 2],
    ["of a service with a socket", ["--socket", app, "-p", "443", "--", "100% $HOME"], 2],
    ["of a service on a low port", [app, "-p", "443"], 2],
    ["of a service that changes its user", [app, "-p", "443", "--user", "www-data"], 4.5],
    ["of a user's service", ["--user", app], 10],
  ])("finds nothing wrong with the units %s", async (what, args, mostExposed) => {
    const output = path.join(folder, what.replaceAll(" ", "-"));
    expect(await choir("--name", "shop", "--output", output, ...args)).toMatchObject({ code: 0 });
    const files = args.includes("--socket") ? ["shop.socket", "shop.service"] : ["shop.service"];
    const paths = files.map((file) => path.join(output, file));
    // Not even a warning; for the version that is installed, since that is the one the units are for.
    expect(await analyze("verify", "--man=no", ...paths)).toEqual({ code: 0, text: "" });
    if (args.includes("--user")) return;
    const { text } = await analyze("security", "--offline=true", path.join(output, "shop.service"));
    const exposure = Number(/Overall exposure level for shop\.service: ([\d.]+)/.exec(text)?.[1]);
    expect(exposure, text).toBeLessThanOrEqual(mostExposed);
  });
});

describe("choir systemd", () => {
  it("prints all units, or an object of them", async () => {
    const { stdout, code } = await choir("--socket", "--name", "shop", "--for", "257", app, "-p", "8080");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^# shop\.socket\n\[Unit\][^]*\n# shop\.service\n\[Unit\]/);
    expect(stdout).toContain(`ExecStart=${process.execPath} "${app}" -p 8080\n`);
    expect(stdout).toContain("Type=notify-reload\n");
    const json = await choir("--json", "--socket", "start", "-p", "8080", "-a", "::", app, "--name", "web-shop");
    const files = JSON.parse(json.stdout) as Record<string, string>;
    expect(Object.keys(files)).toEqual(["web-shop.socket", "web-shop.service"]);
    expect(files["web-shop.service"]).toMatch(/^ExecStart=\S+node \S+choir\.js start -p 8080 -a :: "/m);
    expect(files["web-shop.socket"]).toContain("ListenStream=[::]:8080\n");
  });

  it("warns of places that the service's user cannot enter", async () => {
    const closed = path.join(folder, "closed");
    mkdirSync(closed, { mode: 0o700 });
    writeFileSync(path.join(closed, "main.js"), "");
    const { stderr, code } = await choir(path.join(closed, "main.js"));
    expect(code).toBe(0);
    expect(stderr).toMatch(/is closed to other users/);
  });

  it.each<[string, string[], RegExp]>([
    ["a file that is not there", ["nope.js"], /"nope\.js" does not exist/],
    ["a directory", [folder], /is a directory/],
    ["a file to start that is not there", ["start", "-p", "80", "nope.js"], /"nope\.js" does not exist/],
  ])("refuses %s with one message and exit code 78", async (_, args, message) => {
    const { code, stdout, stderr } = await choir(...args);
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 78, stdout: "" });
  });

  it.each<[string, string[], RegExp]>([
    ["no file", [], /needs the file of the app/],
    ["no file to start", ["start", "-p", "80"], /There is no file to run/],
    ["an option of the app before its file", ["-p", "80", app], /options of the app follow its file/],
    ["an option that the app does not have", [app, "--prot", "80"], /did you mean --port\?/],
    ["a wrong value", [app, "-p", "x"], /--port must be a whole number/],
    ["a host name for systemd's socket", ["--socket", app, "-a", "localhost"], /needs IP addresses/],
    ["a wrong name", ["--name", "a/b", app], /--name must be/],
    ["a wrong version", ["--for", "new", app], /--for must be/],
  ])("refuses %s with one message and exit code 64", async (_, args, message) => {
    const { code, stdout, stderr } = await choir(...args);
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 64, stdout: "" });
  });
});
