/** How an engine is reached: by password and TLS, and that nothing shows the password; and an engine that stands still. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, it } from "vitest";
import { makeCertificate } from "../helpers/certificates.ts";
import { type EngineKind, EngineServer, NATS, REDIS } from "../helpers/engines.ts";
import { describeWith } from "../helpers/programs.ts";
import { runChoir } from "../helpers/run-choir.ts";
import { ask, type Running, startRunner, until } from "../helpers/start-runner.ts";

const PASSWORD = "correct-horse";

/** A server that wants TLS and a password, and the files for it. */
class Guarded implements AsyncDisposable {
  readonly folder = mkdtempSync(path.join(tmpdir(), "choir-access-"));
  engine!: EngineServer;

  static async start(kind: EngineKind): Promise<Guarded> {
    const guarded = new Guarded();
    const certificate = makeCertificate();
    const [cert, key] = [guarded.file("ca.pem", certificate.pem), guarded.file("key.pem", certificate.keyPem)];
    guarded.file("password", `${PASSWORD}\n`);
    guarded.engine = await EngineServer.start(kind, (port) =>
      kind === NATS
        ? ["--user", "app", "--pass", PASSWORD, "--tls", "--tlscert", cert, "--tlskey", key]
        : [
            "--port",
            "0",
            "--tls-port",
            String(port),
            "--tls-cert-file",
            cert,
            "--tls-key-file",
            key,
            "--tls-ca-cert-file",
            cert,
          ].concat([
            "--tls-auth-clients",
            "no",
            "--aclfile",
            guarded.file("users.acl", `user app on >${PASSWORD} ~* &* +@all\n`),
          ]),
    );
    return guarded;
  }

  file(name: string, content: string): string {
    const file = path.join(this.folder, name);
    writeFileSync(file, content, { mode: 0o600 });
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Whatever a user or a neighbour could read of it. */
async function traces(runner: Running): Promise<string> {
  const pids = [runner.pid, ...runner.events("instance-ready").map(({ pid }) => pid!)];
  const ofProcess = pids.flatMap((pid) =>
    ["cmdline", "environ"].map((file) => readFileSync(`/proc/${pid}/${file}`, "latin1")),
  );
  const status = await runChoir(["status", "--json"], runner.runtime);
  expect(status.code).toBe(0);
  // The supervisor's first environment is what it was started with: the kernel keeps it, readable for its own user alone.
  return [...ofProcess.filter((_, at) => at !== 1), status.stdout, status.stderr, runner.transcript()].join("\n");
}

function accessTests(kind: EngineKind, scheme: string): void {
  it("takes password and authority from files, or all from the environment, and shows neither", async () => {
    await using guarded = await Guarded.start(kind);
    const where = `localhost:${guarded.engine.port}`;
    const ca = ["--pub-sub-ca-file", path.join(guarded.folder, "ca.pem")];
    const file = ["--pub-sub-password-file", path.join(guarded.folder, "password")];
    await using here = startRunner("bridged.mjs", {
      args: ["--pub-sub-url", `${scheme}://app@${where}`, ...ca, ...file],
    });
    const env = { CHOIR_PUB_SUB_URL: `${scheme}://app:${PASSWORD}@${where}` };
    await using there = startRunner("bridged.mjs", { args: ca, env });
    const [from, to] = [await here.ready(1), await there.ready(1)];
    for (const runner of [here, there]) {
      expect(await runner.event("engine-connected")).toMatchObject({ url: `${scheme}://${where}` });
      expect(await traces(runner)).not.toContain(PASSWORD);
    }
    await until(async () => {
      await ask(`${from}/publish/news?text=hello`);
      return (await ask(`${to}/seen`)).body.includes("hello");
    }, "a message");
  });

  it("a wrong password, or a certificate of nobody known, is said and ends nothing", async () => {
    await using guarded = await Guarded.start(kind);
    const where = `localhost:${guarded.engine.port}`;
    const ca = ["--pub-sub-ca-file", path.join(guarded.folder, "ca.pem")];
    const wrong = `${scheme}://app:wrong-${PASSWORD}@${where}`;
    await using stranger = startRunner("bridged.mjs", { args: ["--pub-sub-url", wrong, ...ca] });
    await using doubter = startRunner("bridged.mjs", {
      args: ["--pub-sub-url", `${scheme}://app@${where}`, "--pub-sub-password", PASSWORD],
    });
    for (const [runner, error] of [
      [stranger, /auth|WRONGPASS/i],
      [doubter, /self-signed|certificate/i],
    ] as const) {
      const url = await runner.ready(1);
      expect((await runner.event("engine-unreachable"))["error"]).toMatch(error);
      expect((await ask(`${url}/publish/news?text=hello`)).status).toBe(200);
      expect(runner.transcript()).not.toContain(PASSWORD);
    }
  });

  it("an engine that stands still is found out, and what was published meanwhile comes when it goes on", async () => {
    await using engine = await EngineServer.start(kind);
    const args = ["--pub-sub-url", engine.url];
    await using here = startRunner("bridged.mjs", { args });
    await using there = startRunner("bridged.mjs", { args });
    const [from, to] = [await here.ready(1), await there.ready(1)];
    await until(async () => {
      await ask(`${from}/publish/news?text=ping`);
      return (await ask(`${to}/seen`)).body.includes("ping");
    }, "a message");
    engine.signal("SIGSTOP");
    await ask(`${from}/publish/orders.a?count=10`);
    await here.event("engine-unreachable", {}, 40_000);
    await ask(`${from}/publish/orders.a?from=10&count=10`);
    engine.signal("SIGCONT");
    await until(
      async () => {
        const { seen } = JSON.parse((await ask(`${to}/seen`)).body) as { seen: { pattern: string; value: unknown }[] };
        const values = seen.filter(({ pattern }) => pattern === "orders.*").map(({ value }) => value);
        expect(values).toEqual(Array.from({ length: values.length }, (_, n) => n));
        return values.length === 20;
      },
      "all 20",
      30_000,
    ).catch(async (error: unknown) => {
      const seen = (await ask(`${to}/seen`)).body;
      throw new Error(`${String(error)}: ${seen}\n${here.transcript()}\n${there.transcript()}`);
    });
  }, 120_000);
}

describeWith({ programs: ["nats-server"] }, "access to NATS", () => accessTests(NATS, "tls"));
describeWith({ programs: ["redis-server"] }, "access to Redis", () => accessTests(REDIS, "rediss"));
