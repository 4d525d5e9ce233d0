/** --user and --group: the supervisor stays root, and its instances are not. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { describeWith } from "../helpers/programs.ts";
import { ask, Running } from "../helpers/start-runner.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Node and this repository may be below a home that nobody else can enter: in a mount namespace of its own, the program sees them
 * where everybody can.
 */
const OPENED = 'mount --bind "$1" /mnt && mount --bind "$2" /media && shift 2 && exec /media/"$@"';

function startAs(...args: string[]): Running {
  const temp = mkdtempSync(path.join(tmpdir(), "choir-user-"));
  const { dir, base } = path.parse(process.execPath);
  const app = ["/mnt/test/fixtures/apps/hello.mjs", "-j1", "-p0", "--log-format", "json", "--control", "off"];
  const child = spawn("unshare", ["--mount", "sh", "-c", OPENED, "sh", ROOT, dir, base, ...app, ...args], {
    cwd: "/",
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  return new Running(child, temp);
}

const obstacle = (): string | undefined => (process.getuid?.() === 0 ? undefined : "needs root");

describeWith({ programs: ["unshare", "mount"], obstacle }, "instances of another user", () => {
  it("have its user, its group and no further ones; the supervisor serves, steers and ends them", async () => {
    await using runner = startAs("--user", "nobody", "--group", "daemon");
    const url = await runner.ready(1);
    const pid = Number((await ask(`${url}/pid`)).body);
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    expect(/^Uid:\s+(.*)$/m.exec(status)?.[1]?.split("\t")).toEqual(["65534", "65534", "65534", "65534"]);
    expect(/^Gid:\s+(.*)$/m.exec(status)?.[1]?.split("\t")).toEqual(["1", "1", "1", "1"]);
    expect(/^Groups:[ \t]*(.*?)[ \t]*$/m.exec(status)?.[1]).toBe("");
    expect(/^CapEff:\s+(.*)$/m.exec(status)?.[1]).toMatch(/^0+$/);
    expect(JSON.parse((await ask(`${url}/env`)).body)).toMatchObject({ USER: "nobody", LOGNAME: "nobody" });
    expect(statSync(`/proc/${runner.pid}`).uid).toBe(0);

    runner.child.kill("SIGHUP");
    await runner.event("restart-finished", { outcome: "done" });
    expect(await runner.stop()).toEqual({ code: 0, signal: null });
  });

  it("can be reached at a Unix socket that is theirs", async () => {
    const file = path.join(tmpdir(), `choir-user-${process.pid}.sock`);
    await using runner = startAs("-a", `unix:${file}`, "--user", "nobody", "--group", "daemon");
    await runner.ready(1);
    expect(statSync(file)).toMatchObject({ uid: 65_534, gid: 1 });
    expect(await runner.stop()).toMatchObject({ code: 0 });
    expect(existsSync(file)).toBe(false);
  });

  it("that is not there end the start before anything is bound", async () => {
    await using runner = startAs("--user", "no-such-user");
    expect(await runner.exit()).toEqual({ code: 78, signal: null });
    expect(runner.stderr).toMatch(/--user "no-such-user" is no user of this machine/);
    expect(runner.events("starting")).toEqual([]);
  });
});
