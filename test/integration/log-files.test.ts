/** Log files of a real program on real disks: forms and marks, SIGUSR2 with Debian's logrotate, and disks that fail. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { judgeLogs } from "../helpers/log-proof.ts";
import { describeWith } from "../helpers/programs.ts";
import { ask, type Running, startRunner, until } from "../helpers/start-runner.ts";

function read(file: string): string {
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

async function afterItsEnd(args: readonly string[]): Promise<Running> {
  const runner = startRunner("ends-in-half-a-line.mjs", { args });
  await ask(`${await runner.ready(1)}/`).catch(() => {});
  await runner.event("instance-exited");
  await runner.stop();
  return runner;
}

describe("log files", () => {
  it("json: cut and unfinished lines are marked, with mode, names and folders as asked for", async () => {
    await using runner = await afterItsEnd(
      "--log-line-limit 256B --log-file logs/%name-%instance.log --log-file-mode 0600".split(" "),
    );
    const file = path.join(runner.folder, "logs/half-0.log");
    const lines = read(file)
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { msg: string });
    expect(lines.map(({ msg }) => msg.slice(0, 12))).toEqual(
      expect.arrayContaining(["aaaaaaaaaaaa", "at info", "at warn", "at error", "at stderr", "half of a li"]),
    );
    expect(lines).toContainEqual(expect.objectContaining({ msg: "a".repeat(256), cutBytes: 44 }));
    expect(lines).toContainEqual(expect.objectContaining({ msg: "half of a li", partial: true }));
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const own = read(path.join(runner.folder, "logs/half-supervisor.log"));
    expect(own).toContain('"event":"instance-exited"');
    expect(own).not.toContain("at info");
  });

  it("raw, and errors apart by level", async () => {
    await using raw = await afterItsEnd("--log-line-limit 256B --log-file a.log --log-file-format raw".split(" "));
    const text = read(path.join(raw.folder, "a.log"));
    expect(text).toContain(`\n${"a".repeat(256)} [44 bytes cut]\n`);
    expect(text).toContain("\nhalf of a li [line not finished]\n");
    expect(text).toMatch(/^\{"level":30,"time":\d+,"msg":"at info"\}$/m);
    expect(text).toMatch(/^at stderr$/m);

    // At this level nobody says that it is ready.
    await using apart = startRunner("ends-in-half-a-line.mjs", {
      args: "--log-file a.log --error-log-file e.log --log-level warn -a unix:app.sock".split(" "),
    });
    await until(() => existsSync(path.join(apart.folder, "app.sock")), "the socket");
    const request = { socketPath: path.join(apart.folder, "app.sock") };
    const asked = (): Promise<boolean> =>
      ask("http://localhost/", request).then(
        () => true,
        // Refused before the instance listens, cut off when it is killed.
        (error: NodeJS.ErrnoException) => error.code !== "ECONNREFUSED",
      );
    await until(asked, "an instance");
    await apart.event("instance-exited");
    await apart.stop();
    const [others, errors] = ["a.log", "e.log"].map((name) => read(path.join(apart.folder, name)));
    expect(others).toMatch(/at warn/);
    expect(others).not.toMatch(/at info|at error|at stderr|half of/);
    expect(errors).toMatch(/at error[^]*at stderr|at stderr[^]*at error/);
    expect(errors).toContain('"event":"instance-exited"');
  });

  it.each([
    [["--log-file", "/dev/null"], /The log file \/dev\/null cannot be written: .*no regular file/],
    [["--log-file", "/proc/nothing/a.log"], /The log file \/proc\/nothing\/a\.log cannot be written: ENOENT/],
    [
      ["--log-file", "a.log", "--log-file-owner", "nobody-of-that-name"],
      /"nobody-of-that-name", which is not in \/etc\/passwd/,
    ],
    [["--log-file", "a%.log"], /may hold %name, %instance and %%/],
    [["--log-file", "a.log", "--error-log-file", "./a.log"], /must be another file/],
    [["--log-redact", "a["], /--log-redact must be a path/],
  ])("refuses %j before anything is started", async (args, message) => {
    await using runner = startRunner("hello.mjs", { args });
    const { code } = await runner.exit();
    expect([64, 78]).toContain(code);
    expect(runner.stderr).toMatch(message);
    expect(runner.lines).toEqual([]);
  });
});

describeWith({ programs: ["logrotate"] }, "logrotate", () => {
  it("renames, compresses and tells by SIGUSR2: no line is lost", async () => {
    const temp = mkdtempSync(path.join(tmpdir(), "choir-logrotate-"));
    const [folder, progress] = [path.join(temp, "logs"), path.join(temp, "progress")];
    mkdirSync(folder);
    mkdirSync(progress);
    await using runner = startRunner("writes-numbers.mjs", {
      instances: 2,
      args: ["--quiet", "--log-file", path.join(folder, "%name.log")],
      env: { PROGRESS_FOLDER: progress, LINES_PER_TURN: "10" },
    });
    const log = path.join(folder, "numbers.log");
    const configuration = path.join(temp, "logrotate.conf");
    writeFileSync(
      configuration,
      `${log} {\n  rotate 100\n  create\n  compress\n  delaycompress\n  postrotate\n    kill -USR2 ${runner.pid}\n  endscript\n}\n`,
    );
    chmodSync(configuration, 0o600);
    const rotate = (): unknown => execFileSync("logrotate", ["-f", "-s", path.join(temp, "state"), configuration]);
    for (let round = 0; round < 8; round += 1) {
      await until(() => existsSync(log) && statSync(log).size > 50_000, "50 kB of log");
      rotate();
    }
    expect(await runner.stop()).toMatchObject({ code: 0 });
    expect(runner.stderr).toBe("");
    const verdict = judgeLogs(folder, ["numbers"], progress);
    expect(verdict.faults).toEqual([]);
    expect(verdict).toMatchObject({ files: 9, compressed: 7, writers: 4 });
    rmSync(temp, { recursive: true });
  });
});

function obstacle(): string | undefined {
  const folder = mkdtempSync(path.join(tmpdir(), "choir-mount-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], { stdio: "ignore" });
    execFileSync("umount", [folder]);
    return undefined;
  } catch {
    return "this user may not mount a file system";
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A folder that holds two megabytes. */
class SmallDisk implements Disposable {
  readonly folder = mkdtempSync(path.join(tmpdir(), "choir-disk-"));

  constructor() {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", this.folder]);
  }

  path(name: string): string {
    return path.join(this.folder, name);
  }

  [Symbol.dispose](): void {
    execFileSync("umount", ["-l", this.folder]);
    rmSync(this.folder, { recursive: true });
  }
}

describeWith({ programs: ["mount", "umount"], obstacle }, "a disk that fails", () => {
  const said = (runner: Running, text: string): number => runner.stderr.split(text).length - 1;

  it("full: the app goes on, stderr says so once, and writing resumes by itself with every line", async () => {
    using disk = new SmallDisk();
    await using runner = startRunner("writes-logs.mjs", { args: ["--log-file", disk.path("logs/a.log")] });
    const url = await runner.ready(1);
    const log = async (times: number): Promise<void> => {
      for (let n = 0; n < times; n += 1) expect((await ask(`${url}/log`)).status).toBe(200);
    };
    await log(3);
    expect(() => writeFileSync(disk.path("filling"), Buffer.alloc(3e6))).toThrow("ENOSPC");
    await log(10);
    await until(() => said(runner, "cannot be written") === 1, "the message on stderr");
    expect(runner.stderr).toContain("ENOSPC");
    await log(10);
    rmSync(disk.path("filling"));
    await until(() => said(runner, "written again") === 1, "the log to be written again");
    await log(2);
    await runner.stop();
    expect([said(runner, "cannot be written"), said(runner, "written again")]).toEqual([1, 1]);
    expect(runner.events("log-file-recovered")).toMatchObject([{ lostLines: 0 }]);
    const text = read(disk.path("logs/a.log"));
    expect(text.split("from console.log").length - 1).toBe(25);
    for (const line of text.trimEnd().split("\n")) expect(JSON.parse(line)).toBeTypeOf("object");
  });

  it("folder removed, file removed: both are made again within a second of the next line", async () => {
    using disk = new SmallDisk();
    await using runner = startRunner("writes-logs.mjs", { args: ["--log-file", disk.path("logs/a.log")] });
    const url = await runner.ready(1);
    for (const victim of ["logs", "logs/a.log"]) {
      rmSync(disk.path(victim), { recursive: true });
      await until(async () => {
        await ask(`${url}/log`);
        return read(disk.path("logs/a.log")).includes("from console.log");
      }, `${victim} to be there again`);
    }
    await runner.stop();
    expect(runner.stderr).toBe("");
  });

  it("a file that is a mount of its own cannot be renamed: it grows, stderr says so once", async () => {
    using disk = new SmallDisk();
    mkdirSync(disk.path("logs"));
    for (const name of ["elsewhere", "logs/a.log"]) writeFileSync(disk.path(name), "");
    execFileSync("mount", ["--bind", disk.path("elsewhere"), disk.path("logs/a.log")]);
    try {
      await using runner = startRunner("writes-logs.mjs", {
        args: ["--log-file", disk.path("logs/a.log"), "--log-rotate-size", "1kB"],
      });
      const url = await runner.ready(1);
      for (let n = 0; n < 10; n += 1) await ask(`${url}/log`);
      await runner.stop();
      expect(said(runner, "cannot be renamed")).toBe(1);
      expect(read(disk.path("elsewhere")).split("from console.log").length - 1).toBe(10);
    } finally {
      execFileSync("umount", ["-l", disk.path("logs/a.log")]);
    }
  });
});
