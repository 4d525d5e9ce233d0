/**
 * Everything a person can get wrong: one clear message that names the option or slot, the value, where it came from and the remedy,
 * the right exit code, and nothing left behind.
 */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { type StartOptions, startRunner } from "../helpers/start-runner.ts";

interface Case {
  readonly what: string;
  readonly app?: string;
  readonly options?: StartOptions;
  readonly code: number;
  /** All of these are on stderr. */
  readonly says: readonly (string | RegExp)[];
}

const fast = { args: ["--start-timeout", "300ms"] };

const CASES: readonly Case[] = [
  {
    what: "two Runners in one file",
    app: "two-runners.mjs",
    code: 69,
    says: ["run() was called for a second time", '"second"'],
  },
  {
    what: "text for a port",
    options: { args: ["--port", "http"] },
    code: 64,
    says: ["--port", '"http"', "0 to 65535"],
  },
  { what: "a port out of range", options: { args: ["-p", "65536"] }, code: 64, says: ["--port", "65536", "65535"] },
  {
    what: "a wrong port in the environment",
    options: { bare: true, env: { PORT: "80a" } },
    code: 64,
    says: ["--port", '"80a"', "PORT"],
  },
  { what: "zero instances", options: { args: ["-j", "0"] }, code: 64, says: ["--concurrency", '"0"', "auto"] },
  { what: "an unknown option", options: { args: ["--prot", "80"] }, code: 64, says: ["--prot", "--port"] },
  { what: "an option of the next version", options: { args: ["--ssl-nonsense"] }, code: 64, says: ["--ssl-nonsense"] },
  { what: "a missing argument", options: { args: ["--port"] }, code: 64, says: ["--port"] },
  { what: "a value for a flag", options: { args: ["--quiet=yes"] }, code: 64, says: ["--quiet"] },
  { what: "a flag that cannot be negated", options: { args: ["--no-quiet"] }, code: 64, says: ["--no-quiet"] },
  { what: "a positional argument", options: { args: ["serve"] }, code: 64, says: ['"serve"'] },
  {
    what: "a duration without unit",
    options: { args: ["--start-timeout", "10"] },
    code: 64,
    says: ["--start-timeout", '"10"', "10s"],
  },
  {
    what: "a wrong mode",
    options: { args: ["--socket-mode", "rw"] },
    code: 64,
    says: ["--socket-mode", '"rw"', "0660"],
  },
  {
    what: "a wrong choice",
    options: { args: ["--log-format", "xml"] },
    code: 64,
    says: ["--log-format", '"xml"', "pretty"],
  },
  { what: "a wrong backlog", options: { args: ["--backlog", "-1"] }, code: 64, says: ["--backlog"] },
  { what: "a wrong value in code", app: "wrong-option.mjs", options: { bare: true }, code: 64, says: ["port", '"80"'] },
  {
    what: "an address that is not ours",
    options: { args: ["-a", "192.0.2.1"] },
    code: 78,
    says: ["192.0.2.1", "not an address of this machine"],
  },
  {
    what: "an address with a port",
    options: { args: ["-a", "127.0.0.1:80"] },
    code: 78,
    says: ["127.0.0.1:80", "--port"],
  },
  {
    what: "a name that does not exist",
    options: { args: ["-a", "no-such-host.invalid"] },
    code: 78,
    says: ["no-such-host.invalid"],
  },
  {
    what: "a Unix path in a folder that is not there",
    options: { args: ["-a", "unix:nowhere/app.sock"] },
    code: 78,
    says: ["nowhere/app.sock", "does not exist"],
  },
  {
    what: "a Unix path that is a folder",
    options: { args: ["-a", "unix:folder"] },
    code: 78,
    says: ["folder", "a directory"],
  },
  {
    what: "a Unix path that is a regular file",
    options: { args: ["-a", "unix:file"] },
    code: 78,
    says: ["file", "no socket"],
  },
  {
    what: "a Unix path that is too long",
    options: { args: ["-a", `unix:${"x".repeat(200)}`] },
    code: 78,
    says: ["too long", "107"],
  },
  { what: "configureServer throws", app: "throws-on-start.mjs", code: 69, says: ["the database is not there"] },
  { what: "configureServer rejects", app: "rejects-on-start.mjs", code: 69, says: ["rejected on start"] },
  { what: "the process exits in configureServer", app: "exits-on-start.mjs", code: 69, says: ["exit code 3"] },
  {
    what: "configureServer never returns",
    app: "never-ready.mjs",
    options: fast,
    code: 69,
    says: ["--start-timeout", "configureServer"],
  },
  { what: "configureServer returns no app", app: "returns-no-app.mjs", code: 69, says: ["configureServer", "Object"] },
  { what: "a handler in its place", app: "handler-instead.mjs", code: 78, says: ["configureServer"] },
  { what: "a header name with a newline", app: "bad-header.mjs", code: 78, says: ["responseHeaders", "X-Bad"] },
];

describe("bad input", () => {
  it.each(CASES)("$what: exit $code", async ({ app = "hello.mjs", options = {}, code, says }) => {
    await using runner = startRunner(app, options);
    mkdirSync(path.join(runner.temp, "folder"));
    writeFileSync(path.join(runner.temp, "file"), "precious");
    expect(await runner.exit(), runner.transcript()).toEqual({ code, signal: null });
    for (const text of says) expect(runner.stderr).toMatch(typeof text === "string" ? new RegExp(escape(text)) : text);
    // One message, not one per instance, and no stack of Choir's own.
    expect(runner.stderr.trim().split("\n").length).toBeLessThanOrEqual(4);
    expect(runner.stderr).not.toMatch(/^\s+at /m);
    expect(runner.survivors()).toEqual([]);
    expect(readdirSync(runner.temp).sort()).toEqual(["file", "folder"]);
  });

  it("an address in use: exit 69 after --bind-retry, with the address and the remedy", async () => {
    const blocker = net.createServer();
    await new Promise<void>((resolve) => {
      blocker.listen(0, "127.0.0.1", resolve);
    });
    const { port } = blocker.address() as net.AddressInfo;
    await using runner = startRunner("hello.mjs", { bare: true, args: ["-p", String(port), "--bind-retry", "250ms"] });
    expect(await runner.exit()).toEqual({ code: 69, signal: null });
    expect(runner.stderr).toContain(`127.0.0.1:${port}`);
    expect(runner.stderr).toContain("--port");
    blocker.close();
  });

  it("says the cause of a failing start at the first failure, once, however many instances fail", async () => {
    await using runner = startRunner("throws-on-start.mjs", { instances: 4 });
    const failed = await runner.event("instance-start-failed");
    expect(failed).toMatchObject({
      error: "the database is not there",
      stack: expect.stringContaining("throws-on-start.mjs"),
    });
    // Said while it still tries again.
    expect(runner.child.exitCode).toBeNull();
    expect(await runner.exit()).toEqual({ code: 69, signal: null });
    expect(runner.events("instance-start-failed")).toHaveLength(1);
  });
});

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
