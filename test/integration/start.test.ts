/** `choir start`: apps that a file exports, programs that listen by themselves, and what a person can get wrong. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  ask,
  MODULES,
  type Running,
  startChoir,
  startModule,
  type StartOptions,
  startRunner,
  until,
} from "../helpers/start-runner.ts";

const folder = mkdtempSync(path.join(tmpdir(), "choir-broken-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("what a file exports is served", () => {
  it.each([
    ["express.cjs", "express"],
    ["express-named.cjs", "express"],
    ["koa-app.mjs", "koa"],
    ["hono.mjs", "hono"],
    ["fastify.mjs", "fastify"],
    ["nest-bootstrap.mjs", "nest"],
    ["h3.mjs", "h3"],
    ["handler.mjs", "handler"],
    ["http-server.mjs", "server"],
    ["configure.mjs", "configured"],
    ["runner.mjs", "runner"],
    ["typed.ts", "typed"],
  ])("%s", async (file, body) => {
    await using app = startModule(file);
    const url = await app.ready(1);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
    expect(await ask(url)).toMatchObject({ status: 200, body });
    expect(await app.stop()).toEqual({ code: 0, signal: null });
  });
});

/** The lines that instances printed. */
function said(app: Running): string[] {
  return app.lines.filter(({ event }) => event === undefined).map(({ msg }) => msg ?? "");
}

/** Waits until two instances have printed a line: it comes by another pipe than what else is known of them. */
function both(app: Running, line: string): Promise<void> {
  return until(() => said(app).filter((said) => said === line).length === 2, `two lines ${line}`);
}

async function count(app: Running, kind: string, many: number): Promise<void> {
  await app.eventCount(kind, many);
}

describe("a program that listens by itself", () => {
  it("shares its sockets, is drained before its own SIGTERM handler runs, and loses nothing", async () => {
    await using app = startModule("script.mjs", { instances: 2 });
    const url = await app.ready(2);
    const { port } = new URL(url);
    await both(app, `main at 127.0.0.1:${port}, listening true`);
    await both(app, "admin at admin.sock");
    expect((await ask("http://admin/", { socketPath: path.join(app.temp, "admin.sock") })).body).toBe("admin");

    const slow = ask(`${url}/slow`);
    await new Promise((resolve) => setImmediate(resolve));
    app.child.kill("SIGTERM");
    expect((await slow).body).toBe("slow");
    expect(await app.exit()).toEqual({ code: 0, signal: null });
    for (const line of ["own SIGTERM", "main closed: undefined", "admin closed"]) {
      expect(
        said(app).filter((said) => said === line),
        line,
      ).toHaveLength(2);
    }
    expect(existsSync(path.join(app.temp, "admin.sock"))).toBe(false);
  });

  it("keeps its port over a crash of all instances and a rolling restart, without a refused request", async () => {
    await using app = startModule("script.mjs", { instances: 2, args: ["--canary-time", "0s"] });
    const url = await app.ready(2);
    await Promise.all([0, 1].map(() => ask(`${url}/crash`).catch(() => {})));
    // Whoever connects while nobody is left waits for the respawn.
    expect((await ask(url)).status).toBe(200);
    await count(app, "instance-ready", 2 + app.events("instance-exited").length);

    app.child.kill("SIGHUP");
    const pids = new Set<string>();
    while (app.events("restart-finished").length === 0) pids.add((await ask(url)).body);
    await app.event("restart-finished", { outcome: "done" });
    pids.add((await ask(url)).body);
    expect(pids.size).toBeGreaterThan(1);
  });

  it("has as much room for new objects as it needs, once it serves", async () => {
    await using app = startModule("young-growth.mjs");
    const url = await app.ready(1);
    expect(Number((await ask(url)).body)).toBeGreaterThan(1);
  });

  it("is started as by node: main module, arguments, environment, flags, folder", async () => {
    await using app = startModule("express-script.cjs", {
      args: ["--env-file", path.join(MODULES, "app.env"), "--import", path.join(MODULES, "preloaded.mjs")].concat([
        "--node-options",
        "--max-old-space-size=300 --title=mine",
        "--cwd",
        MODULES,
        "--",
        "one",
        "--two",
      ]),
    });
    const url = await app.ready(1);
    expect((await ask(url)).body).toBe("true one --two");
    const environment = JSON.parse((await ask(`${url}/environment`)).body) as { execArgv: string[] };
    expect(environment).toMatchObject({ greeting: "from a file", cwd: MODULES.replace(/\/$/, ""), preloaded: "yes" });
    expect(environment.execArgv).toEqual(expect.arrayContaining(["--max-old-space-size=300", "--title=mine"]));
    expect(environment.execArgv.join(" ")).not.toContain("instance/main");
  });

  it("takes PORT from a file of variables", async () => {
    await using app = startModule("script.mjs", {
      bare: true,
      args: ["-j1", "--log-format", "json", "--env-file", path.join(MODULES, "app.env")],
    });
    expect(await app.ready(1)).toMatch(/:[1-9]\d+$/);
  });

  it('takes no traffic before its process.send("ready")', async () => {
    await using app = startModule("sends-ready.mjs", { args: ["-a", "127.0.0.1"] });
    await app.line(({ msg }) => msg === "listening");
    expect(app.events("instance-ready")).toEqual([]);
    const url = await app.ready(1);
    expect((await ask(url)).body).toBe("ready");
  });

  it("is told of an address in use by a normal error, and may take another one", async () => {
    const blocker = net.createServer();
    await new Promise<void>((resolve) => {
      blocker.listen(0, "127.0.0.1", resolve);
    });
    const { port } = blocker.address() as net.AddressInfo;
    await using app = startModule("next-port.mjs", {
      env: { TAKEN: String(port) },
      args: ["--bind-retry", "0s"],
      instances: 2,
    });
    const url = await app.ready(2);
    await both(app, `EADDRINUSE listen ${port}`);
    expect((await ask(url)).body).toBe("fallback");
    blocker.close();
  });
});

it("a program may try a port before it listens, late, and what it closes refuses connections", async () => {
  await using app = startModule("tries-port.cjs", { instances: 2 });
  const url = await app.ready(2);
  await both(app, `found ${new URL(url).port}`);
  expect((await ask(url)).body).toBe("tried");
  // Each instance that still listens, in turn.
  for (const many of [1, 2]) {
    await ask(`${url}/close`);
    await until(() => said(app).filter((line) => line === "closed").length === many, `${many} to be closed`);
  }
  // Queued for nobody, they would hang.
  await until(() => refuses(url), "connections to be refused");
  expect(app.events("instance-exited")).toEqual([]);
});

function refuses(url: string): Promise<boolean> {
  return ask(url, { timeout: 200 }).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === "ECONNREFUSED",
  );
}

it("--serve exports serves the app of a file that would listen", async () => {
  await using app = startModule("express-script.cjs", { args: ["--serve", "exports", "-a", "unix:app.sock"] });
  expect(await app.ready(1)).toMatch(/^unix:.*app\.sock$/);
  const agent = new http.Agent();
  expect((await ask("http://app/", { socketPath: path.join(app.temp, "app.sock"), agent })).body).toBe("true ");
  agent.destroy();
});

describe("a configuration file", () => {
  const TYPED = [
    'import { defineConfig } from "choir";',
    "const name: string = 'configured';",
    "export default defineConfig({ name, module: 'handler.mjs', idleGrace: '50ms', responseHeaders: { 'X-From': name } });",
  ].join("\n");

  it("in TypeScript names the file, its options and headers; flags win", async () => {
    await using app = startChoir(["start"], { cwd: configured("choir.config.ts", TYPED), args: ["--name", "flagged"] });
    const url = await app.ready(1);
    expect((await ask(url)).headers["x-from"]).toBe("configured");
    expect((await app.event("starting"))["name"]).toBe("flagged");
  });

  it.each([
    ["choir.config.json", '{\n  "prot": 80\n}', ["choir.config.json:2", "did you mean port?"]],
    ["choir.config.json", '{\n  "port": 80,\n}', ["choir.config.json:3 is no JSON"]],
    ["choir.config.mjs", "export default {\n  shutdownTimeout: true,\n};\n", ["choir.config.mjs:2", "shutdownTimeout"]],
    ["choir.config.mjs", "export default {\n  port = 80\n};\n", ["choir.config.mjs:2", "SyntaxError"]],
    ["choir.config.mjs", "\nthrow new Error('not today');\n", ["choir.config.mjs:2", "not today"]],
    ["choir.config.mjs", "throw { reason: 'odd' };\n", ["choir.config.mjs cannot be loaded: { reason: 'odd' }"]],
    ["choir.config.mjs", "process.exit(0);\n", ["choir.config.mjs cannot be loaded", "exit code 0"]],
    ["choir.config.mjs", "export default { responseHeaders: { 'a b': 'c' } };\n", ["responseHeaders", '"a b"']],
  ])("%s that is wrong: exit 78 (%j)", async (name, text, says) => {
    await using app = startChoir(["start", "handler.mjs"], { cwd: configured(name, text) });
    expect(await app.exit()).toEqual({ code: 78, signal: null });
    for (const part of says) expect(app.stderr).toContain(part);
    expect(app.stderr.trim().split("\n").length).toBeLessThanOrEqual(2);
  });

  it("is read by Runner programs too", async () => {
    const cwd = configured("choir.config.json", '{ "responseHeaders": { "X-From": "file" } }');
    await using app = startRunner("hello.mjs", { cwd });
    const { headers } = await ask(await app.ready(1));
    expect(headers).toMatchObject({ "x-from": "file", "x-content-type-options": "nosniff" });
  });
});

describe("choir check", () => {
  it("boots once, on no port, and shows each option with its origin", async () => {
    await using app = startChoir(["check", path.join(MODULES, "script.mjs"), "--json"], {
      bare: true,
      env: { PORT: "3123" },
    });
    expect(await app.exit()).toEqual({ code: 0, signal: null });
    const report = JSON.parse(app.text.join("\n")) as { ok: boolean; options: object[] };
    expect(report.ok).toBe(true);
    expect(report.options).toContainEqual({ option: "port", value: "3123", origin: "the environment variable PORT" });
    expect(report.options).toContainEqual({ option: "ready", value: "auto", origin: "the default" });
  });

  it("asks the readiness path, and exits with 78 when it does not answer or the file cannot be served", async () => {
    const file = path.join(MODULES, "express-script.cjs");
    await using good = startChoir(["check", file, "--readiness-path", "/environment"], {});
    await using bad = startChoir(["check", file, "--readiness-path", "/nowhere", "--start-timeout", "1s"], {});
    await using none = startChoir(["check", path.join(MODULES, "exports-none.mjs")], {});
    await using missing = startChoir(["check", "nowhere.mjs", "--json"], {});
    expect(await missing.exit()).toEqual({ code: 78, signal: null });
    expect(JSON.parse(missing.text.join("\n"))).toMatchObject({
      ok: false,
      error: expect.stringContaining("nowhere.mjs") as string,
    });
    expect(await good.exit(), good.transcript()).toEqual({ code: 0, signal: null });
    expect(good.text.join("\n")).toContain("/environment answers");
    expect(await bad.exit()).toEqual({ code: 78, signal: null });
    expect(bad.stderr).toContain("--readiness-path");
    expect(await none.exit()).toEqual({ code: 78, signal: null });
    expect(none.stderr).toContain('exports "answer"');
  });
});

it("--watch: restarts on a change of what was imported; errors stay, and the old code serves until the new one is ready", async () => {
  const cwd = configured("unrelated.mjs", "");
  const lib = path.join(cwd, "lib");
  mkdirSync(lib);
  const imported = path.join(lib, "imported.cjs");
  const write = (text: string): void => writeFileSync(imported, text);
  const main = 'import answer from "./lib/imported.cjs"; export default (_request, response) => response.end(answer);';
  writeFileSync(path.join(cwd, "main.mjs"), main);
  write("module.exports = ;");
  await using app = startChoir(["start", "main.mjs"], {
    cwd,
    bare: true,
    args: ["--watch", "-p", "0", "--log-format", "json"],
  });
  const failed = await app.event("instance-start-failed");
  expect(failed["error"]).toContain("imported.cjs:1");
  expect(app.child.exitCode).toBeNull();

  write('module.exports = "one";');
  const url = await app.ready(1);
  expect((await ask(url)).body).toBe("one");

  write("module.exports = ;");
  await app.eventCount("instance-start-failed", 2);
  await app.event("restart-finished", { outcome: "failed", generation: 2 });
  expect((await ask(url)).body).toBe("one");

  writeFileSync(path.join(cwd, "unrelated.mjs"), "// changed");
  write('module.exports = "two";');
  await app.event("restart-finished", { outcome: "done", generation: 3 });
  // The old instance accepts until the order to drain has reached it.
  await until(async () => (await ask(url)).body === "two", "the new code");
  // Each of three changes of that file, and nothing else.
  expect(app.events("restart-started").map(({ by }) => by)).toEqual(
    Array.from({ length: 3 }, () => "a change of lib/imported.cjs"),
  );

  // As a checkout does it: the folder is another one then.
  rmSync(lib, { recursive: true });
  await app.event("restart-finished", { outcome: "failed", generation: 4 });
  mkdirSync(lib);
  write('module.exports = require("./reexported.cjs");');
  await app.event("restart-finished", { outcome: "failed", generation: 5 });
  // Node reports neither what is not there yet nor, later, what is only re-exported.
  writeFileSync(path.join(lib, "reexported.cjs"), 'module.exports = "three";');
  await until(async () => (await ask(url)).body === "three", "the re-exported module");
});

interface Case {
  readonly what: string;
  readonly file: string;
  readonly options?: StartOptions;
  readonly code: number;
  readonly says: readonly (string | RegExp)[];
}

/** A folder with a configuration file, an app beside it, and Choir to import from. */
function configured(name: string, text: string): string {
  const made = mkdtempSync(path.join(folder, "config-"));
  writeFileSync(path.join(made, name), text);
  writeFileSync(
    path.join(made, "handler.mjs"),
    "export const handler = (_request, response) => response.end('handler');",
  );
  mkdirSync(path.join(made, "node_modules"));
  const root = path.resolve(MODULES, "../../..");
  symlinkSync(root, path.join(made, "node_modules/choir"));
  symlinkSync(path.join(root, "node_modules/tsx"), path.join(made, "node_modules/tsx"));
  return made;
}

// Not a fixture: the formatter could not read it.
const BROKEN = path.join(folder, "syntax-error.mjs");
const MISSING = path.join(folder, "missing-package.mjs");
writeFileSync(MISSING, 'import "no-such-package-anywhere";\n');
writeFileSync(BROKEN, "export default {\n  port = 3000,\n};\n");

const CASES: readonly Case[] = [
  { what: "no such file", file: "expres.cjs", code: 78, says: ["expres.cjs", "does not exist", "express.cjs"] },
  { what: "a directory", file: "newer", code: 78, says: ["newer", "is a directory", "index.js"] },
  {
    what: "nothing to serve",
    file: "exports-none.mjs",
    code: 78,
    says: ['exports "answer"', "listen()", "configureServer"],
  },
  { what: "two apps", file: "exports-two.mjs", code: 78, says: ['"default" and "app"'] },
  { what: "a class", file: "exports-class.mjs", code: 78, says: ["class Server", "new Server()"] },
  { what: "a file that throws", file: "throws.mjs", code: 78, says: ["TypeError: no such luck", "throws.mjs:3"] },
  { what: "a syntax error", file: BROKEN, code: 78, says: ["SyntaxError", "syntax-error.mjs:2"] },
  { what: "a package that is missing", file: MISSING, code: 78, says: ["no-such-package-anywhere"] },
  {
    what: "an address that is not ours",
    file: "listens-elsewhere.mjs",
    code: 78,
    says: ["192.0.2.1:3000", "not an address"],
  },
  {
    what: "a newer Node.js needed",
    file: "newer/app.mjs",
    code: 78,
    says: ["newer Node.js", '">=99"', process.version],
  },
  {
    what: "an unknown option",
    file: "handler.mjs",
    options: { args: ["--wach"] },
    code: 64,
    says: ["--wach", "--watch"],
  },
  { what: "two files", file: "handler.mjs", options: { args: ["other.mjs"] }, code: 64, says: ['"other.mjs"'] },
  {
    what: "a file of variables that is missing",
    file: "handler.mjs",
    options: { env: { CHOIR_ENV_FILE: "nowhere.env" } },
    code: 78,
    says: ["--env-file", "nowhere.env"],
  },
  {
    what: "a folder that is missing",
    file: "handler.mjs",
    options: { args: ["--cwd", "nowhere"] },
    code: 78,
    says: ["nowhere"],
  },
];

describe("what a person can get wrong", () => {
  it.each(CASES)("$what: exit $code", async ({ file, options = {}, code, says }) => {
    await using app = startModule(file, { instances: 2, ...options });
    expect(await app.exit(), app.transcript()).toEqual({ code, signal: null });
    for (const text of says) expect(app.stderr).toContain(text);
    expect(app.stderr.trim().split("\n").length).toBeLessThanOrEqual(3);
    expect(app.stderr).not.toMatch(/^\s+at /m);
  });
});
