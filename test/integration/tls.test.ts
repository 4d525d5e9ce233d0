/** TLS as clients and operators see it: every kind of app, sessions resumed by any instance, certificates replaced while serving. */
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import https from "node:https";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import tls from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import { makeCertificate, type TestCertificate } from "../helpers/certificates.ts";
import { type Running, type StartOptions, startRunner, until } from "../helpers/start-runner.ts";
import { askHttp2, askTls, connectHttp2, resume } from "../helpers/tls-client.ts";
import { within } from "../helpers/within.ts";

const ROOT = makeCertificate({ name: "root", authority: true });
const CERTIFICATE = makeCertificate({ issuer: ROOT });
const PASSWORD = "correct horse battery staple";

/** Starts an app with files in its working directory, which is there before the program is. */
function startTls(app: string, files: Record<string, string | Buffer>, options: StartOptions = {}): Running {
  const folder = makeFolder();
  for (const [name, content] of Object.entries(files)) writeFileSync(path.join(folder, name), content);
  return startRunner(app, { cwd: folder, ...options });
}

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function makeFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), "choir-tls-"));
  folders.push(folder);
  return folder;
}

const PEM_ARGS = ["--certificate-file", "cert.pem", "--key-file", "key.pem"];
const pemFiles = (certificate: TestCertificate): Record<string, string> => ({
  "cert.pem": certificate.pem,
  "key.pem": certificate.keyPem,
});

function startPem(app: string, options: StartOptions & { certificate?: TestCertificate } = {}): Running {
  const { certificate = CERTIFICATE, args = ["--ssl"], ...rest } = options;
  return startTls(app, pemFiles(certificate), { ...rest, args: [...args, ...PEM_ARGS] });
}

const portOf = (url: string): number => Number(new URL(url).port);

describe("every kind of app", () => {
  it.each([
    ["hello.mjs", "/", "hello", true],
    ["plain.mjs", "/x", "plain /x", true],
    ["fetch.mjs", "/x", "fetch /x", true],
    ["express.mjs", "/", "express", false],
    ["http-server.mjs", "/x", "server /x", false],
  ])("%s", async (app, target, body, speaksHttp2) => {
    for (const flag of ["--ssl", "--http2"]) {
      await using runner = startPem(app, { instances: 2, args: [flag] });
      const url = await runner.ready(2);
      expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
      const ca = ROOT.pem;
      expect(await askTls(url + target, { ca })).toMatchObject({ status: 200, body, serial: CERTIFICATE.serial });
      const offered = flag === "--http2" && speaksHttp2;
      if (offered) {
        const session = await connectHttp2(url, ca);
        expect(await askHttp2(session, target)).toMatchObject({ status: 200, body });
        session.close();
      } else {
        await expect(connectHttp2(url, ca)).rejects.toThrow();
      }
      const said = runner.events("http1-only");
      expect(said).toHaveLength(flag === "--http2" && !speaksHttp2 ? 1 : 0);
      expect(await runner.stop()).toEqual({ code: 0, signal: null });
    }
  });

  it("a Fastify app of the user's, made without TLS, speaks HTTP/2", async () => {
    await using runner = startPem("own-fastify.mjs", { args: ["--http2"] });
    const url = await runner.ready(1);
    const session = await connectHttp2(url, ROOT.pem);
    expect(await askHttp2(session, "/")).toMatchObject({ status: 200, body: "own fastify 2.0" });
    session.close();
    expect(await askTls(url, { ca: ROOT.pem })).toMatchObject({ body: "own fastify 1.1" });
  });

  it("an upgrade reaches an http.Server of the app's own", async () => {
    await using runner = startPem("upgrades.mjs");
    const port = portOf(await runner.ready(1));
    const socket = tls.connect({ port, host: "127.0.0.1", ca: ROOT.pem, servername: "localhost" });
    let text = "";
    socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
    socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    await until(() => text.includes("upgraded"), "the upgrade");
    expect(text).toMatch(/^HTTP\/1\.1 101 /);
    socket.destroy();
  });
});

describe("the certificate", () => {
  it("is sent with its chain", async () => {
    const middle = makeCertificate({ name: "middle", authority: true, issuer: ROOT });
    const leaf = makeCertificate({ issuer: middle });
    const files = { "chain.pem": leaf.pem + middle.pem, "key.pem": leaf.keyPem };
    const args = ["--ssl", "--certificate-file", "chain.pem", "--key-file", "key.pem"];
    await using runner = startTls("plain.mjs", files, { args });
    const answer = await askTls(await runner.ready(1), { ca: ROOT.pem });
    expect(answer).toMatchObject({ status: 200, serial: leaf.serial });
  });

  it("that holds its key needs no other file", async () => {
    const files = { "both.pem": CERTIFICATE.pem + CERTIFICATE.keyPem };
    await using runner = startTls("plain.mjs", files, { args: ["--ssl", "--certificate-file", "both.pem"] });
    expect(await askTls(await runner.ready(1), { ca: ROOT.pem })).toMatchObject({ status: 200 });
  });

  it("that has expired is served with a warning that has the date", async () => {
    const validTo = new Date("2024-02-03T04:05:06Z");
    const certificate = makeCertificate({ issuer: ROOT, validFrom: new Date("2023-01-01"), validTo });
    await using runner = startPem("plain.mjs", { certificate });
    const url = await runner.ready(1);
    expect(runner.events("certificate-expiring")).toMatchObject([
      { level: 50, state: "expired", validTo: validTo.toISOString(), msg: expect.stringContaining("2024-02-03") },
    ]);
    await expect(askTls(url, { ca: ROOT.pem })).rejects.toThrow(/expired/);
  });

  it("is not served to clients of TLS 1.1, and a broken handshake gets no HTTP", async () => {
    await using runner = startPem("plain.mjs");
    const url = await runner.ready(1);
    const old = { ca: ROOT.pem, servername: "localhost", ciphers: "DEFAULT:@SECLEVEL=0" };
    const client = tls.connect({
      port: portOf(url),
      host: "127.0.0.1",
      ...old,
      minVersion: "TLSv1",
      maxVersion: "TLSv1.1",
    });
    const refusal = await within(new Promise<Error>((resolve) => client.once("error", resolve)), "a refusal");
    expect(refusal.message).toMatch(/version|protocol/i);
    for (const bytes of ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\x16\x03\x01\x00\x05garbage garbage"]) {
      expect(await plainExchange(portOf(url), bytes)).not.toContain("HTTP");
    }
    expect(await askTls(url, { ca: ROOT.pem })).toMatchObject({ status: 200 });
  });
});

/** What a server answers to bytes below TLS until it ends the connection. */
async function plainExchange(port: number, bytes: string): Promise<string> {
  const socket = net.connect(port, "127.0.0.1");
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1"))).on("error", () => {});
  socket.write(bytes, "latin1");
  await within(new Promise((resolve) => socket.once("close", resolve)), "the end of the connection");
  return text;
}

describe.each(["TLSv1.2", "TLSv1.3"] as const)("sessions of %s", (version) => {
  it("are resumed by any instance, also across a respawn and a new certificate", async () => {
    const next = makeCertificate({ issuer: ROOT });
    await using runner = startPem("hello.mjs", { instances: 4 });
    const port = portOf(await runner.ready(4));
    const ca = ROOT.pem;
    let { session } = await resume(port, { path: "/pid", ca, version });
    const pids = new Set<string>();
    const reconnect = async (times: number): Promise<number> => {
      let resumed = 0;
      for (let done = 0; done < times; done += 5) {
        // Several at once, so that more than one instance is needed.
        const tries = Array.from({ length: 5 }, () => resume(port, { path: "/pid", ca, version, session }));
        for (const each of await Promise.all(tries)) {
          pids.add(each.body);
          resumed += each.reused ? 1 : 0;
          session = each.session;
        }
      }
      return resumed;
    };
    expect(await reconnect(50)).toBe(50);
    await until(async () => pids.size >= 3 || (await reconnect(5)) < 5, "3 instances to answer");
    expect(pids.size).toBeGreaterThanOrEqual(3);

    for (const pid of pids) process.kill(Number(pid), "SIGKILL");
    await runner.eventCount("instance-ready", 4 + pids.size);
    const before = new Set(pids);
    pids.clear();
    expect(await reconnect(20)).toBe(20);
    expect([...pids].some((pid) => !before.has(pid))).toBe(true);

    writeFileSync(path.join(runner.folder, "cert.pem"), next.pem);
    writeFileSync(path.join(runner.folder, "key.pem"), next.keyPem);
    await runner.event("certificate-loaded", { serial: next.serial });
    expect(await reconnect(20)).toBe(20);
    expect(await askTls(`https://127.0.0.1:${port}/`, { ca })).toMatchObject({ reused: false, serial: next.serial });
  });
});

describe("a new certificate", () => {
  it("is taken up under load, by a swapped link, without a failed request or a lost connection", async () => {
    const first = CERTIFICATE;
    const second = makeCertificate({ issuer: ROOT });
    const folder = makeFolder();
    // As Kubernetes lays out a mounted secret: files link into ..data, which links to a folder of the moment.
    const publish = (name: string, certificate: TestCertificate): void => {
      mkdirSync(path.join(folder, name), { recursive: true });
      writeFileSync(path.join(folder, name, "tls.crt"), certificate.pem);
      writeFileSync(path.join(folder, name, "tls.key"), certificate.keyPem);
      symlinkSync(name, path.join(folder, "..data_tmp"));
      renameSync(path.join(folder, "..data_tmp"), path.join(folder, "..data"));
    };
    publish("..1", first);
    for (const file of ["tls.crt", "tls.key"]) symlinkSync(path.join("..data", file), path.join(folder, file));
    const args = ["--http2", "--certificate-file", "tls.crt", "--key-file", "tls.key"];
    await using runner = startRunner("hello.mjs", { cwd: folder, instances: 2, args });
    const url = await runner.ready(2);
    const ca = ROOT.pem;

    const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ca, servername: "localhost", timeout: 10_000 });
    const oldHttp2 = await connectHttp2(url, ca);
    const old = await keptAlive(agent, url);
    const serials = new Set<string>();
    const failures: unknown[] = [];
    const stop = new AbortController();
    const client = async (): Promise<void> => {
      while (!stop.signal.aborted) {
        try {
          const answer = await askTls(url, { ca });
          if (answer.status !== 200) failures.push(answer);
          serials.add(answer.serial);
          // The connections from before go on being used.
          await keptAlive(agent, url);
          await askHttp2(oldHttp2, "/");
        } catch (error) {
          failures.push(error);
        }
      }
    };
    const clients = Array.from({ length: 4 }, client);
    await until(() => serials.has(first.serial), "the first certificate");
    publish("..2", second);
    rmSync(path.join(folder, "..1"), { recursive: true });
    await until(() => serials.has(second.serial), "the second certificate");
    stop.abort();
    await Promise.all(clients);
    expect(failures).toEqual([]);
    // The same connection, with the certificate that it began with.
    expect(await keptAlive(agent, url)).toEqual(old);
    expect(old.serial).toBe(first.serial);
    expect(await askHttp2(oldHttp2, "/")).toMatchObject({ status: 200 });
    expect(oldHttp2.closed).toBe(false);
    oldHttp2.destroy();
    agent.destroy();
    expect(runner.events("certificate-loaded").map((event) => event["serial"])).toEqual([first.serial, second.serial]);
  });

  it("that is broken is refused: the old one stays, the log says why, and the next good one is taken up", async () => {
    const next = makeCertificate({ issuer: ROOT });
    await using runner = startPem("plain.mjs");
    const url = await runner.ready(1);
    const write = (name: string, text: string): void => writeFileSync(path.join(runner.folder, name), text);
    write("key.pem", next.keyPem);
    const refused = await runner.event("certificate-refused");
    expect(refused["error"]).toMatch(/cert\.pem.*does not belong to the private key/);
    expect(await askTls(url, { ca: ROOT.pem })).toMatchObject({ status: 200, serial: CERTIFICATE.serial });
    write("cert.pem", next.pem);
    await runner.event("certificate-loaded", { serial: next.serial });
    await until(async () => (await askTls(url, { ca: ROOT.pem })).serial === next.serial, "the new one");
    expect(runner.events("certificate-refused")).toHaveLength(1);
  });
});

/** A request on the agent's one connection. */
function keptAlive(agent: https.Agent, url: string): Promise<{ port: number; serial: string }> {
  const answer = new Promise<{ port: number; serial: string }>((resolve, reject) => {
    https
      .get(url, { agent }, (response) => {
        const socket = response.socket as tls.TLSSocket;
        const connection = { port: socket.localPort ?? 0, serial: socket.getPeerCertificate().serialNumber };
        response.resume().on("end", () => resolve(connection));
      })
      .on("error", reject);
  });
  return within(answer, "an answer on the old connection");
}

describe("passwords", () => {
  const encrypted = { "cert.pem": CERTIFICATE.pem, "key.pem": CERTIFICATE.encryptedKey(PASSWORD) };
  const pkcs12 = { "all.p12": CERTIFICATE.pkcs12(PASSWORD) };
  const ways: Record<string, (name: string) => StartOptions & { files?: Record<string, string> }> = {
    "a flag": (name) => ({ args: [`--${name}`, PASSWORD] }),
    "the environment": (name) => ({ env: { [`CHOIR_${name.toUpperCase().replace("-", "_")}`]: PASSWORD } }),
    "a file": (name) => ({ args: [`--${name}-file`, "secret"], files: { secret: `${PASSWORD}\n` } }),
    "a credential": (name) => ({ env: { CREDENTIALS_DIRECTORY: "." }, files: { [name]: PASSWORD } }),
  };

  it.each(Object.keys(ways))("from %s open key and PKCS#12, and are seen nowhere", async (way) => {
    for (const name of ["key-password", "certificate-password"]) {
      const { files = {}, args = [], env = {} } = ways[way]!(name);
      const isKey = name === "key-password";
      const tlsArgs = isKey ? PEM_ARGS : ["--certificate-file", "all.p12"];
      await using runner = startTls(
        "hello.mjs",
        { ...(isKey ? encrypted : pkcs12), ...files },
        { args: ["--ssl", ...tlsArgs, ...args], env, instances: 2 },
      );
      const url = await runner.ready(2);
      const { body } = await askTls(`${url}/env`, { ca: ROOT.pem });
      expect(JSON.parse(body)).toMatchObject({ NODE_ENV: "production" });
      expect(body).not.toContain(PASSWORD);
      for (const { pid } of runner.events("instance-ready")) {
        for (const file of ["cmdline", "environ"]) {
          const text = readFileSync(`/proc/${pid}/${file}`, "latin1");
          expect(text).toContain(file === "cmdline" ? "hello.mjs" : "NODE_APP_INSTANCE");
          expect(text).not.toContain(PASSWORD);
        }
      }
      expect(await runner.stop()).toEqual({ code: 0, signal: null });
      expect(runner.transcript()).not.toContain(PASSWORD);
    }
  });

  it("and keys are not among the IPC messages that an app can log", async () => {
    await using runner = startTls("logs-messages.mjs", pkcs12, {
      args: ["--ssl", "--certificate-file", "all.p12", "--certificate-password", PASSWORD],
    });
    const url = await runner.ready(1);
    const next = makeCertificate({ issuer: ROOT });
    writeFileSync(path.join(runner.folder, "all.p12"), next.pkcs12(PASSWORD));
    // What comes at the start comes before the app listens: this comes later.
    await until(async () => (await askTls(url, { ca: ROOT.pem })).serial === next.serial, "the new certificate");
    expect(await runner.stop()).toEqual({ code: 0, signal: null });
    // It does see others.
    expect(runner.transcript()).toContain("drain");
    expect(runner.transcript()).not.toMatch(/ticketKeys|passphrase|pfx/);
  });
});
