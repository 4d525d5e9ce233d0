// Unit files: what depends on the options, and words that mean something to systemd.
import { describe, expect, it } from "vitest";
import { ChoirError } from "../../../src/errors.ts";
import { resolveOptions } from "../../../src/options/resolve.ts";
import type { ResolvedOptions } from "../../../src/options/table.ts";
import { unitText, unitWord } from "../../../src/systemd/quote.ts";
import { renderUnits, type UnitPlan } from "../../../src/systemd/unit.ts";

function optionsOf(args: readonly string[]): ResolvedOptions {
  const resolution = resolveOptions({ args, environment: {}, code: {} });
  if (resolution.kind === "help") throw new Error("Got help");
  return resolution.options;
}

function units(args: string, plan: Partial<UnitPlan> = {}): Readonly<Record<string, string>> {
  const words = args === "" ? [] : args.split(" ");
  return renderUnits({
    name: "shop",
    command: ["/usr/bin/node", "/srv/shop/main.js", ...words],
    reloadCommand: ["/usr/bin/node", "/srv/shop/choir.js", "restart"],
    cwd: "/srv/shop",
    options: optionsOf(words),
    userUnit: false,
    socket: false,
    systemdVersion: 257,
    ...plan,
  });
}

/** The values of one setting, in their order. */
function setting(text: string | undefined, key: string): string[] {
  const lines = (text ?? "").split("\n").filter((line) => line.startsWith(`${key}=`));
  return lines.map((line) => line.slice(key.length + 1));
}

const service = (args: string, plan: Partial<UnitPlan> = {}): string => units(args, plan)["shop.service"]!;

describe("a service unit", () => {
  it("starts what was given, and waits as long as Choir does and a little more", () => {
    const text = service("-p 8080 --start-timeout 90s --shutdown-timeout 10500ms");
    expect(setting(text, "ExecStart")).toEqual([
      "/usr/bin/node /srv/shop/main.js -p 8080 --start-timeout 90s --shutdown-timeout 10500ms",
    ]);
    expect(setting(text, "WorkingDirectory")).toEqual(["/srv/shop"]);
    expect(setting(text, "TimeoutStartSec")).toEqual(["105s"]);
    expect(setting(text, "TimeoutStopSec")).toEqual(["26s"]);
    expect(setting(text, "RestartPreventExitStatus")).toEqual(["64 78"]);
    expect(setting(text, "OOMPolicy")).toEqual(["continue"]);
  });

  it("for an older systemd reloads by a command that finds this app and no other", () => {
    expect(setting(service("", { systemdVersion: 252 }), "ExecReload")).toEqual([
      "/usr/bin/node /srv/shop/choir.js restart --control ${RUNTIME_DIRECTORY}",
    ]);
  });

  it.each([
    [252, "notify", 1, []],
    [253, "notify-reload", 0, []],
    [254, "notify-reload", 0, ["15s"]],
  ])("is one that systemd %s understands", (systemdVersion, type, reloads, delay) => {
    const text = service("", { systemdVersion });
    expect(setting(text, "Type")).toEqual([type]);
    expect(setting(text, "ExecReload")).toHaveLength(reloads);
    expect(setting(text, "RestartMaxDelaySec")).toEqual(delay);
  });

  it.each<[string, Partial<UnitPlan>, string]>([
    ["-p 8080", {}, ""],
    ["-p 443", {}, "CAP_NET_BIND_SERVICE"],
    ["-p 443", { socket: true }, ""],
    ["-a unix:/run/x -p 443", {}, ""],
    ["-p 0", {}, ""],
    ["-p 8080 --user app", {}, "CAP_SETUID CAP_SETGID CAP_CHOWN CAP_KILL"],
    ["-p 443 --group app", {}, "CAP_SETUID CAP_SETGID CAP_CHOWN CAP_KILL CAP_NET_BIND_SERVICE"],
  ])("for %s, %j has the capabilities %j", (args, plan, expected) => {
    const text = service(`-a 127.0.0.1 ${args}`.replace("-a 127.0.0.1 -a", "-a"), plan);
    expect(setting(text, "CapabilityBoundingSet")).toEqual([expected]);
    expect(setting(text, "DynamicUser")).toEqual(args.includes("--user") || args.includes("--group") ? [] : ["yes"]);
    // A user namespace takes the capability away.
    expect(setting(text, "PrivateUsers")).toEqual(expected === "" ? ["yes"] : []);
  });

  it("may be a template, with folders for each of its instances", () => {
    const files = units("", { name: "shop@", socket: true });
    expect(Object.keys(files)).toEqual(["shop@.socket", "shop@.service"]);
    expect(setting(files["shop@.service"], "StateDirectory")).toEqual(["shop-%i"]);
    expect(setting(files["shop@.service"], "Requires")).toEqual(["shop@%i.socket"]);
  });

  it("never forbids V8 to write machine code", () => {
    for (const plan of [{}, { userUnit: true }, { socket: true }]) {
      expect(setting(service("", plan), "MemoryDenyWriteExecute")).toEqual([]);
    }
  });

  it("for a user's own systemd asks for nothing that needs root", () => {
    const text = service("", { userUnit: true });
    expect(text).not.toMatch(/DynamicUser|Capabilit|Protect|Private/);
    expect(setting(text, "WantedBy")).toEqual(["default.target"]);
  });
});

describe("a socket unit", () => {
  it("has an address for each, and the service needs it", () => {
    const files = units("-a 0.0.0.0 -a ::1 -a unix:/run/shop/web -p 443 --socket-mode 0600 --group www", {
      socket: true,
    });
    expect(Object.keys(files)).toEqual(["shop.socket", "shop.service"]);
    const text = files["shop.socket"];
    expect(setting(text, "ListenStream")).toEqual(["0.0.0.0:443", "[::1]:443", "/run/shop/web"]);
    expect(setting(text, "SocketMode")).toEqual(["0600"]);
    expect(setting(text, "SocketGroup")).toEqual(["www"]);
    expect(setting(text, "Accept")).toEqual([]);
    expect(setting(files["shop.service"], "Requires")).toEqual(["shop.socket"]);
  });

  it.each([
    ["-a localhost", '--socket needs IP addresses, got --address "localhost"'],
    ["-a unix:run/x", '--socket needs a Unix socket with an absolute path, got "unix:run/x"'],
    ["-p 0", "--socket needs a --port of its own: systemd cannot choose one"],
  ])("refuses %s", (args, message) => {
    expect(() => units(args, { socket: true })).toThrow(new ChoirError("ERR_CHOIR_OPTION", message));
  });
});

describe("words", () => {
  it.each([
    ["/srv/a-b_c.js", "/srv/a-b_c.js"],
    ["two words", '"two words"'],
    ["100%", "100%%"],
    ["$HOME", "$$HOME"],
    [String.raw`a"b\c`, String.raw`"a\"b\\c"`],
    ["it's", `"it's"`],
    [";", '";"'],
    ["", '""'],
  ])("%s is written %s", (text, expected) => {
    expect(unitWord(text)).toBe(expected);
  });

  it("no line of a value becomes a setting", () => {
    expect(unitText("a\nUser=root %h")).toBe("a User=root %%h");
  });
});
