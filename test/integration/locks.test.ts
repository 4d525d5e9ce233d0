/** Requests, locks and leaders between real processes: who answers, who leads, and what becomes of it when one is killed. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { LockSnapshot } from "../../src/messaging/locks.ts";
import { runChoir } from "../helpers/run-choir.ts";
import { ask, type LogLine, type Running, startRunner, until } from "../helpers/start-runner.ts";
import { within } from "../helpers/within.ts";

const BIN = fileURLToPath(new URL("../../bin/choir.js", import.meta.url));

async function get<T>(url: string): Promise<T> {
  return JSON.parse((await ask(url)).body) as T;
}

const leads = (runner: Running, but: (line: LogLine) => boolean = () => false): Promise<LogLine> =>
  runner.line((line) => line.msg === "leads" && !but(line), "an instance to lead");

describe("between instances", () => {
  it("one leads and another one within a second of its kill -9; what is done once is done once", async () => {
    await using runner = startRunner("locks.mjs", { instances: 3 });
    const url = await runner.ready(3);
    const first = await leads(runner);
    const leader = first.pid!;
    const killed = Date.now();
    process.kill(leader, "SIGKILL");
    const second = await leads(runner, ({ pid }) => pid === leader);
    expect(second.time - killed).toBeLessThan(1000);
    expect(second["token"]).toBeGreaterThan(first["token"] as number);
    await runner.eventCount("instance-ready", 4);
    expect(runner.lines.filter(({ msg }) => msg === "leads")).toHaveLength(2);
    const migrations = readFileSync(path.join(runner.folder, "migrations"), "utf8").trim().split("\n");
    expect(migrations).toHaveLength(1);
    const seen = new Map<string, unknown>();
    await until(async () => {
      const { uid, once } = await get<{ uid: string; once: { by: string } }>(url);
      seen.set(uid, once.by);
      return seen.size === 3;
    }, "every instance to be seen");
    expect([...seen.values()]).toEqual(Array.from({ length: 3 }, () => migrations[0]));
  });

  it("a lock is free when its instance has drained, and its leader stands down: a rolling restart moves both", async () => {
    await using runner = startRunner("locks.mjs", { instances: 2, args: ["--canary-time", "100ms"] });
    const url = await runner.ready(2);
    const leader = await leads(runner);
    const holder = await runner.line(({ msg }) => msg === "holds", "an instance to hold the lock");
    const { held, pending } = await get<LockSnapshot>(`${url}/query`);
    const expected = { "-leader:cron": leader["uid"], held: holder["uid"] };
    expect(Object.fromEntries(held.map(({ name, clientId }) => [name, clientId]))).toEqual(expected);
    expect(pending.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(expected)));
    process.kill(runner.pid, "SIGHUP");
    expect((await runner.event("restart-finished"))["outcome"]).toBe("done");
    const newcomers = runner.events("instance-ready").flatMap(({ generation, pid }) => (generation === 1 ? [pid] : []));
    for (const msg of ["leads", "holds"]) {
      await runner.line((line) => line.msg === msg && newcomers.includes(line.pid), `a newcomer that ${msg}`);
    }
    const said = (...texts: string[]): LogLine[] => runner.lines.filter(({ msg }) => texts.includes(msg ?? ""));
    // Never two at a time: every one that leads ends before the next one begins.
    const led = said("leads", "leads no more");
    expect(led.map(({ msg }) => msg)).toEqual(led.map((_, at) => (at % 2 === 0 ? "leads" : "leads no more")));
    const tokens = said("holds").map(({ token }) => token as number);
    expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
    expect(said("is told to let go").map(({ uid }) => uid)).toContain(holder["uid"]);
  });

  it("requests are answered, errors keep what they are, and who is silent is named", async () => {
    await using runner = startRunner("locks.mjs", { instances: 3 });
    const url = await runner.ready(3);
    expect(JSON.parse((await ask(`${url}/fails`)).body)).toMatchObject({
      name: "RangeError",
      message: "out of range",
      code: "E_RANGE",
      from: { uid: expect.any(String) as string },
    });
    interface All {
      readonly uid: string;
      readonly answers: readonly { from: { id: number; uid: string }; value: string }[];
      readonly silent: readonly { id: number; uid: string }[];
    }
    const all = await get<All>(`${url}/all/10000`);
    expect(all.silent).toEqual([]);
    expect(all.answers.map(({ from, value }) => value === from.uid && value !== all.uid)).toEqual([true, true]);
    const stopped = runner.events("instance-ready").find(({ instance }) => instance === all.answers[0]!.from.id)!;
    process.kill(stopped.pid!, "SIGSTOP");
    try {
      const partial = await get<All>(`${url}/all/1500`);
      expect(partial.silent).toEqual([all.answers[0]!.from]);
      expect(partial.answers).toHaveLength(1);
    } finally {
      process.kill(stopped.pid!, "SIGCONT");
    }
  });
});

describe("choir publish and choir subscribe", () => {
  it("reach the instances and show what they publish, until the app ends", async () => {
    await using runner = startRunner("pubsub.mjs", { instances: 2 });
    const url = await runner.ready(2);
    await ask(`${url}/publish/kept?retain=1`);
    const environment = { PATH: process.env["PATH"], XDG_RUNTIME_DIR: runner.runtime, TMPDIR: runner.runtime };
    const watch = spawn(process.execPath, [BIN, "subscribe", ">"], {
      env: environment,
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      const lines = createInterface({ input: watch.stdout })[Symbol.asyncIterator]();
      const next = async () => (await within(lines.next(), () => "a line of choir subscribe")).value as string;
      expect(await next()).toBe('news "kept" (retained)');
      expect(await runChoir(["publish", "news", '{"from": "shell"}', "pubsub"], runner.runtime)).toEqual({
        code: 0,
        stdout: "Published to news of pubsub\n",
        stderr: "",
      });
      expect(await next()).toBe('news {"from":"shell"}');
      await until(async () => (await ask(`${url}/seen`)).body.includes('{"from":"shell"}'), "an instance to have it");
      expect((await runner.stop()).code).toBe(0);
      expect((await within(lines.next(), () => "the end of choir subscribe")).done).toBe(true);
    } finally {
      watch.kill();
    }
  });

  it.each([
    [["publish"], 64, "needs a topic and a value"],
    [["publish", "a", "hello"], 64, `a text is written with its quotes: '"hello"'`],
    [["publish", "a.*", "1"], 64, "which is for subscriptions only"],
    [["subscribe"], 64, "needs a topic"],
    [["subscribe", "a..b"], 64, "empty token"],
    [["publish", "a", "1"], 69, "No running app was found"],
  ])("choir %j is refused with %i", async (args, code, text) => {
    const end = await runChoir(args, "/nowhere");
    expect(end.code).toBe(code);
    expect(end.stderr).toContain(text);
  });
});
