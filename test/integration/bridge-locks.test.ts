/**
 * Locks, leaders and runOnce of two supervisors as two machines, over a real NATS: whatever is killed, nobody has what another one
 * holds. All instances write what they hold into one file, with the time.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Kvm } from "@nats-io/kv";
import { connect } from "@nats-io/transport-node";
import { expect, it } from "vitest";
import { EngineServer, NATS, REDIS } from "../helpers/engines.ts";
import { describeWith } from "../helpers/programs.ts";
import { ask, type Running, startRunner, until } from "../helpers/start-runner.ts";

interface Note {
  readonly at: number;
  readonly what: "granted" | "aborted" | "ran" | "failed";
  readonly uid: string;
  readonly name?: string;
  readonly token?: number;
  readonly key?: string;
}

/** LEASE_MS of nats-locks.ts; this machine may be busy. */
const LEASE_MS = 10_000;
const PATIENCE_MS = 3 * LEASE_MS;

class Machines implements AsyncDisposable {
  readonly #engine: EngineServer;
  readonly #folder = mkdtempSync(path.join(tmpdir(), "choir-locks-"));
  readonly #log = path.join(this.#folder, "log");
  readonly runners: Running[] = [];

  constructor(engine: EngineServer) {
    this.#engine = engine;
  }

  async start(env: Record<string, string> = {}): Promise<Running & { url: string }> {
    const args = ["--pub-sub-url", this.#engine.url];
    const runner = startRunner("shares-locks.mjs", { args, env: { LOCK_LOG: this.#log, ...env } });
    this.runners.push(runner);
    return Object.assign(runner, { url: await runner.ready(1) });
  }

  get notes(): Note[] {
    try {
      const lines = readFileSync(this.#log, "utf8").trim().split("\n");
      return lines.map((line) => JSON.parse(line) as Note);
    } catch {
      return [];
    }
  }

  /** Waits for the `count`-th note of the kind. */
  async note(what: Note["what"], count: number): Promise<Note> {
    const found = () => this.notes.filter((note) => note.what === what);
    await until(() => found().length >= count, `${count} × ${what}`, PATIENCE_MS).catch((error: unknown) => {
      throw new Error(
        `${String(error)}\n${JSON.stringify(this.notes)}\n${this.runners.map((runner) => runner.transcript()).join("\n")}`,
      );
    });
    return found()[count - 1]!;
  }

  /** No two ever held it, by the order and time of what they wrote, and each token is above all before. */
  expectOneAtATime(): void {
    let holder: Note | undefined;
    let token = 0;
    for (const note of this.notes) {
      if (note.what === "granted") {
        expect(holder, JSON.stringify(this.notes)).toBeUndefined();
        expect(note.token).toBeGreaterThan(token);
        token = note.token!;
        holder = note;
      } else if (note.what === "aborted") {
        expect(note.token).toBe(holder?.token);
        holder = undefined;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const runner of this.runners) await runner[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const LEAD = { LEAD: "1" };

describeWith({ programs: ["nats-server"] }, "locks between machines", () => {
  it("one machine leads; another one does when its supervisor stands still or dies, and soon when only its instance does", async () => {
    await using engine = await EngineServer.start(NATS);
    await using machines = new Machines(engine);
    const here = await machines.start(LEAD);
    await machines.note("granted", 1);
    const there = await machines.start(LEAD);
    // It can neither renew its lease nor tell its instance: that stops by itself.
    here.child.kill("SIGSTOP");
    const next = await machines.note("granted", 2);
    machines.expectOneAtATime();
    here.child.kill("SIGKILL");
    // Its own supervisor knows that it is gone: no lease has to end.
    await machines.start(LEAD);
    const killed = Date.now();
    process.kill(there.events("instance-ready")[0]!.pid!, "SIGKILL");
    const { at, uid } = await machines.note("granted", 3);
    expect(uid).not.toBe(next.uid);
    expect(at - killed).toBeLessThan(LEASE_MS / 2);
    const tokens = machines.notes.filter(({ what }) => what === "granted").map(({ token }) => token!);
    expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
  }, 90_000);

  it("a holder stops before its lease ends when the engine dies, and nobody has the lock before", async () => {
    await using engine = await EngineServer.start(NATS);
    await using machines = new Machines(engine);
    const here = await machines.start();
    const there = await machines.start();
    await ask(`${here.url}/hold/files`);
    await machines.note("granted", 1);
    await ask(`${there.url}/hold/files`);
    await until(async () => (await ask(`${there.url}/query`)).body.includes('"pending":[{'), "the other one to wait");
    // A restart is no reason to stop.
    await engine.kill();
    await engine.start();
    await here.eventCount("engine-connected", 2);
    await there.eventCount("engine-connected", 2);
    const killed = Date.now();
    await engine.kill();
    const aborted = await machines.note("aborted", 1);
    expect(aborted.at - killed).toBeLessThan(LEASE_MS);
    expect(await machines.note("failed", 1)).toMatchObject({ uid: aborted.uid, code: "ERR_CHOIR_LOCK_LOST" });
    expect(machines.notes.filter(({ what }) => what === "granted")).toHaveLength(1);
    await engine.start();
    await machines.note("granted", 2);
    machines.expectOneAtATime();
    const tried = JSON.parse((await ask(`${here.url}/try/files`)).body) as { held: boolean };
    expect(tried).toEqual({ held: false });
  }, 90_000);

  it("a key runs once on all machines, also for one that comes later; and machines that stop hand over at once", async () => {
    await using engine = await EngineServer.start(NATS);
    await using machines = new Machines(engine);
    const here = await machines.start();
    const there = await machines.start();
    const answers = await Promise.all([here, there, here, there].map(({ url }) => ask(`${url}/once/release-7`)));
    const late = await machines.start();
    answers.push(await ask(`${late.url}/once/release-7`));
    expect(new Set(answers.map(({ body }) => body))).toHaveLength(1);
    expect(machines.notes.filter(({ what }) => what === "ran")).toHaveLength(1);
    await ask(`${here.url}/hold/files`);
    await machines.note("granted", 1);
    await ask(`${there.url}/hold/files`);
    const stopped = Date.now();
    expect(await here.stop()).toEqual({ code: 0, signal: null });
    expect((await machines.note("granted", 2)).at - stopped).toBeLessThan(LEASE_MS);
    machines.expectOneAtATime();
  }, 60_000);
});

describeWith({ programs: ["nats-server"] }, "a bucket of sessions that was made by hand", () => {
  it("whose entries never end is refused, with the reason", async () => {
    await using engine = await EngineServer.start(NATS);
    const connection = await connect({ servers: engine.url });
    await new Kvm(connection).create("choir_locks_7eapp_sessions", { history: 1 });
    await connection.close();
    await using machines = new Machines(engine);
    const here = await machines.start();
    expect(await here.event("engine-warning")).toMatchObject({ warning: expect.stringContaining("has no TTL") });
    const refused = JSON.parse((await ask(`${here.url}/try/files`)).body) as { code: string };
    expect(refused.code).toBe("ERR_CHOIR_LOCK_ENGINE");
  });
});

describeWith({ programs: ["redis-server"] }, "locks between machines over Redis", () => {
  it("are refused with what they need, and those of one machine are not", async () => {
    await using engine = await EngineServer.start(REDIS);
    await using machines = new Machines(engine);
    const { url } = await machines.start();
    const refused = JSON.parse((await ask(`${url}/try/files`)).body) as { code: string; message: string };
    expect(refused.code).toBe("ERR_CHOIR_LOCK_ENGINE");
    expect(refused.message).toContain("need NATS");
    expect(JSON.parse((await ask(`${url}/try/files?scope=machine`)).body)).toEqual({ held: true });
  });
});
