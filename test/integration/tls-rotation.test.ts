/** The supervisor's keeper of certificates with servers as instances have them, in one process: the clock is the test's. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ChoirEvent } from "../../src/events.ts";
import { compileHeaderPolicy } from "../../src/http/headers.ts";
import { DEFAULT_LIMITS } from "../../src/http/limits.ts";
import { createHttpServer, renewTls } from "../../src/http/server.ts";
import type { TlsSources } from "../../src/options/tls-sources.ts";
import type { TlsMaterial, ToInstance, ToSupervisor } from "../../src/protocol.ts";
import { openTls, POLL_MS, ROTATION_MS, type TlsKeeper } from "../../src/supervisor/tls.ts";
import { makeCertificate } from "../helpers/certificates.ts";
import { FakeClock } from "../helpers/fake-clock.ts";
import { closeServer, listenAnywhere } from "../helpers/raw-http.ts";
import { until } from "../helpers/start-runner.ts";
import { resume } from "../helpers/tls-client.ts";

const ROOT = makeCertificate({ name: "root", authority: true });
const FIRST = makeCertificate({ issuer: ROOT });
const ca = ROOT.pem;

let folder: string;
let sources: TlsSources;
let clock: FakeClock;
let events: ChoirEvent[];
let keeper: TlsKeeper;
const servers: Server[] = [];

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "choir-rotation-"));
  clock = new FakeClock(Date.now());
  events = [];
  const password = { flag: "--x", value: undefined, file: undefined, optional: false };
  sources = {
    certificateFile: path.join(folder, "cert.pem"),
    keyFile: path.join(folder, "key.pem"),
    certificatePassword: password,
    keyPassword: password,
  };
  write(FIRST.pem, FIRST.keyPem);
  keeper = await openTls(sources, { clock, emit: (event) => events.push(event) });
  keeper.start();
});

afterEach(async () => {
  keeper.stop();
  for (const server of servers.splice(0)) await closeServer(server);
  rmSync(folder, { recursive: true });
});

function write(certificate: string, key: string): void {
  writeFileSync(sources.certificateFile, certificate);
  writeFileSync(path.join(folder, "key.pem"), key);
}

/** A recipient, all it was sent, and how it ends. */
function recipient(): { sent: TlsMaterial[]; end(): void; say(message: ToSupervisor): void } {
  const sent: TlsMaterial[] = [];
  let end!: () => void;
  let say!: (message: ToSupervisor) => void;
  keeper.attach({
    send(message: ToInstance) {
      if (message.choir === "tls") sent.push(message.material);
    },
    onMessage: (listener) => (say = listener),
    exited: new Promise((resolve) => (end = () => resolve({ code: 0, signal: null }))),
  });
  return { sent, end, say: (message) => say(message) };
}

/** A server that serves with what a recipient is sent. */
async function serve(sent: TlsMaterial[]): Promise<number> {
  const [material] = sent;
  if (material === undefined) throw new Error("nothing was sent");
  const tls = { material, http2: false };
  const headers = compileHeaderPolicy();
  const server = createHttpServer((_request, response) => void response.end("ok"), {
    headers,
    tls,
    limits: DEFAULT_LIMITS,
  });
  servers.push(server);
  sent.push = (...more) => {
    for (const next of more) renewTls(server, next);
    return Array.prototype.push.apply(sent, more);
  };
  return listenAnywhere(server);
}

test.each(["TLSv1.2", "TLSv1.3"] as const)(
  "new ticket keys every day cost a %s client one full handshake, and no error",
  async (version) => {
    const ports = [await serve(recipient().sent), await serve(recipient().sent)];
    const ask = (port: number, session?: Buffer) => resume(port, { path: "/", ca, version, session });
    let { session } = await ask(ports[0]!);
    for (const day of [1, 2, 3]) {
      for (const port of ports) {
        const again = await ask(port, session);
        expect(again).toMatchObject({ reused: true, body: "ok" });
        session = again.session;
      }
      clock.advance(ROTATION_MS);
      const full = await ask(ports[day % 2]!, session);
      expect(full).toMatchObject({ reused: false, body: "ok" });
      session = full.session;
    }
  },
);

test("every instance has the same 48 bytes, and one that has ended is sent nothing more", async () => {
  const [one, two] = [recipient(), recipient()];
  expect(one.sent).toEqual(two.sent);
  expect(Buffer.from(one.sent[0]!.ticketKeys, "base64")).toHaveLength(48);
  one.end();
  await Promise.resolve();
  clock.advance(ROTATION_MS);
  expect(one.sent).toHaveLength(1);
  expect(two.sent).toHaveLength(2);
  expect(two.sent[1]!.ticketKeys).not.toBe(two.sent[0]!.ticketKeys);
  expect(recipient().sent).toEqual([two.sent[1]]);
});

test("a changed certificate is taken up by the clock, keeping the ticket keys; the same one again is not", async () => {
  const { sent } = recipient();
  const next = makeCertificate({ issuer: ROOT });
  write(FIRST.pem, FIRST.keyPem);
  await keeper.check();
  expect(sent).toHaveLength(1);
  write(next.pem, next.keyPem);
  clock.advance(POLL_MS);
  await until(() => sent.length === 2, "the new certificate");
  expect(sent[1]).toMatchObject({
    ticketKeys: sent[0]!.ticketKeys,
    identity: { certificate: next.pem.replaceAll("\r", "") },
  });
  expect(events.map(({ event }) => event)).toEqual(["certificate-loaded", "certificate-loaded"]);
});

test("one that cannot be used is refused at the second look, once, and forgotten when it is put right before that", async () => {
  const { sent } = recipient();
  const next = makeCertificate({ issuer: ROOT });
  write(next.pem, FIRST.keyPem);
  await keeper.check();
  // As certbot writes them: first one file, then the other.
  write(next.pem, next.keyPem);
  await keeper.check();
  expect(events.map(({ event }) => event)).toEqual(["certificate-loaded", "certificate-loaded"]);
  rmSync(sources.certificateFile);
  for (let look = 0; look < 4; look++) await keeper.check();
  expect(events.at(-1)).toMatchObject({
    event: "certificate-refused",
    error: expect.stringContaining("does not exist"),
  });
  expect(events).toHaveLength(3);
  write("nonsense", next.keyPem);
  for (let look = 0; look < 4; look++) await keeper.check();
  expect(events.at(-1)).toMatchObject({ event: "certificate-refused", error: expect.stringContaining("neither PEM") });
  expect(events).toHaveLength(4);
  expect(sent).toHaveLength(2);
});

test("the end of a certificate is warned of two weeks before, or at the last third of a short life, every day", () => {
  const expiring = (): string[] =>
    events.flatMap((each) => (each.event === "certificate-expiring" ? [each.state] : []));
  // It was made for 365 days.
  clock.advance(350 * ROTATION_MS);
  expect(expiring()).toEqual([]);
  clock.advance(ROTATION_MS);
  expect(expiring()).toEqual(["expiring"]);
  clock.advance(14 * ROTATION_MS);
  expect(expiring().at(-1)).toBe("expired");
  expect(expiring()).toHaveLength(15);
});

test("that an app speaks HTTP/1 only is said once", () => {
  const [one, two] = [recipient(), recipient()];
  for (const each of [one, two]) each.say({ choir: "http1-only", app: "An Express app" });
  expect(events.filter(({ event }) => event === "http1-only")).toHaveLength(1);
});
