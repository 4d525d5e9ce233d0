/**
 * The header policy over TLS and HTTP/2, for every kind of app that speaks it, and for streams that an app answers directly; and the
 * end of a real instance with streams open.
 */
import { closeSync, openSync } from "node:fs";
import http2, { type ClientHttp2Session, type Http2SecureServer, type ServerHttp2Stream } from "node:http2";
import type { Server } from "node:net";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it, test } from "vitest";
import { compileHeaderPolicy, type HeaderPolicyOptions } from "../../src/http/headers.ts";
import { DEFAULT_LIMITS } from "../../src/http/limits.ts";
import { createServer, type ServerSettings } from "../../src/http/server.ts";
import { applyHeaderPolicy } from "../../src/http/write-head.ts";
import type { ServedApp } from "../../src/instance/app.ts";
import { openServer } from "../../src/instance/open-server.ts";
import { makeCertificate } from "../helpers/certificates.ts";
import { APPS } from "../helpers/header-apps.ts";
import { closeServer, listenAnywhere } from "../helpers/raw-http.ts";
import { startRunner } from "../helpers/start-runner.ts";
import { askHttp2, askTls, connectHttp2, type TlsAnswer } from "../helpers/tls-client.ts";

const CERTIFICATE = makeCertificate();
const ca = CERTIFICATE.pem;
const material = {
  identity: { form: "pem", certificate: CERTIFICATE.pem, key: CERTIFICATE.keyPem },
  ticketKeys: Buffer.alloc(48, 7).toString("base64"),
} as const;

const POLICY: HeaderPolicyOptions = {
  responseHeaders: { "X-Added": "policy", "X-Clash": "policy", "X-Many": ["a", "b"], "X-Both": "1" },
  removeResponseHeaders: { "x-gone": true, "X-Some": "bad", "X-Powered-By": true, Date: true, "x-both": "1" },
};

const servers: Server[] = [];
const sessions: ClientHttp2Session[] = [];
afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy();
  for (const server of servers.splice(0)) await closeServer(server);
});

const settings = (offered: boolean): ServerSettings => ({
  limits: DEFAULT_LIMITS,
  tls: { material, http2: offered },
});

async function listen(server: Server): Promise<string> {
  servers.push(server);
  return `https://127.0.0.1:${await listenAnywhere(server)}`;
}

async function serve(app: ServedApp, offered: boolean): Promise<string> {
  return listen(
    await openServer(app, {
      headers: compileHeaderPolicy(POLICY),
      onError: () => {},
      settings: settings(offered),
    }),
  );
}

async function sessionTo(url: string): Promise<ClientHttp2Session> {
  const session = await connectHttp2(url, ca);
  sessions.push(session);
  return session;
}

type Ask = (path: string, method?: string) => Promise<Pick<TlsAnswer, "status" | "headers" | "body">>;

const PROTOCOLS: Readonly<Record<string, (app: ServedApp) => Promise<Ask>>> = {
  "HTTP/1.1 over TLS": async (app) => {
    const url = await serve(app, false);
    return (path, method = "GET") => askTls(url + path, { ca, method });
  },
  "HTTP/1.1 on the server for HTTP/2": async (app) => {
    const url = await serve(app, true);
    return (path, method = "GET") => askTls(url + path, { ca, method });
  },
  "HTTP/2": async (app) => {
    const session = await sessionTo(await serve(app, true));
    return (path, method = "GET") => askHttp2(session, path, { ":method": method });
  },
};

const HTTP1_ONLY = ["Express", "an http.Server"];

describe.each(Object.keys(PROTOCOLS))("over %s", (protocol) => {
  const names = Object.keys(APPS).filter((name) => protocol !== "HTTP/2" || !HTTP1_ONLY.includes(name));

  it.each(names)("every response of %s follows the policy", async (name) => {
    const ask = await PROTOCOLS[protocol]!(APPS[name]!());
    for (const [path, status, method] of [
      ["/ok", 200, "GET"],
      ["/ok", 200, "HEAD"],
      ["/nothing-here", 404, "GET"],
      ["/error", 500, "GET"],
      ["/stream", 200, "GET"],
      ["/redirect", 302, "GET"],
      ["/empty", 204, "GET"],
      ["/not-modified", 304, "GET"],
    ] as const) {
      const answer = await ask(path, method);
      expect(answer.status, path).toBe(status);
      expect(answer.headers, path).toMatchObject({ "x-added": "policy", "x-clash": "policy", "x-many": "a, b" });
      for (const gone of ["x-both", "x-powered-by", "date"]) expect(answer.headers, path).not.toHaveProperty(gone);
      if (path === "/stream") expect(answer.body).toContain("onetwo");
    }
    const own = await ask("/own");
    expect(own).toMatchObject({ body: "own", headers: { "x-clash": "own", "x-some": "good" } });
    expect(own.headers).not.toHaveProperty("x-gone");
  });
});

test.each(HTTP1_ONLY)("%s is offered HTTP/1.1 only", async (name) => {
  await expect(connectHttp2(await serve(APPS[name]!(), true), ca)).rejects.toThrow();
});

describe("a stream that is answered directly", () => {
  const FILE = fileURLToPath(new URL("../fixtures/tls/localhost.crt", import.meta.url));
  const OWN = { ":status": 200, "X-Clash": "own", "x-gone": "1", "x-some": ["bad", "good"] };

  async function answered(
    answer: (stream: ServerHttp2Stream) => void,
    policy: HeaderPolicyOptions = POLICY,
  ): Promise<Pick<TlsAnswer, "status" | "headers" | "body">> {
    const server = createServer(settings(true));
    applyHeaderPolicy(server, compileHeaderPolicy(policy));
    (server as unknown as Http2SecureServer).on("stream", answer);
    return askHttp2(await sessionTo(await listen(server)), "/");
  }

  const checkOwn = ({ status, headers }: Pick<TlsAnswer, "status" | "headers">): void => {
    expect(status).toBe(200);
    expect(headers).toMatchObject({ "x-clash": "own", "x-some": "good", "x-added": "policy", "x-many": "a, b" });
    for (const gone of ["x-gone", "date", "x-both"]) expect(headers).not.toHaveProperty(gone);
  };

  it("by respond, with an object", async () => {
    checkOwn(await answered((stream) => void (stream.respond(OWN), stream.end("x"))));
  });

  it("by respond, with nothing", async () => {
    const { status, headers } = await answered((stream) => void (stream.respond(), stream.end("x")));
    expect(status).toBe(200);
    expect(headers).toMatchObject({ "x-clash": "policy", "x-added": "policy" });
  });

  it("by respond, with what is to stay out of the compression's tables", async () => {
    const secret = { ":status": 200, "x-token": "t", [http2.sensitiveHeaders]: ["x-token"] };
    const { headers } = await answered((stream) => void (stream.respond(secret), stream.end("x")));
    expect(headers).toMatchObject({ "x-token": "t", "x-added": "policy", [http2.sensitiveHeaders]: ["x-token"] });
  });

  it("by respondWithFile and respondWithFD", async () => {
    const file = await answered((stream) => stream.respondWithFile(FILE, OWN));
    checkOwn(file);
    expect(file.body).toContain("BEGIN CERTIFICATE");
    const fd = openSync(FILE, "r");
    checkOwn(await answered((stream) => stream.respondWithFD(fd, OWN)));
    closeSync(fd);
  });

  it("by respondWithFile, with headers that its statCheck sets", async () => {
    const answer = await answered((stream) =>
      stream.respondWithFile(
        FILE,
        { ":status": 200, "x-gone": "1" },
        {
          statCheck(stat, headers) {
            Object.assign(headers, { "X-Clash": "own", "x-some": ["bad", "good"], "x-size": String(stat.size) });
          },
        },
      ),
    );
    checkOwn(answer);
    expect(answer.headers["x-size"]).toMatch(/^\d+$/);
  });

  // Node takes a flat array from 24 on.
  it.each(Number(process.versions.node.split(".")[0]) >= 24 ? ["flat"] : [])(
    "by respond, with a %s array",
    async () => {
      const flat = [":status", "200", "X-Clash", "own", "x-gone", "1", "x-some", "bad", "x-some", "good"];
      checkOwn(await answered((stream) => void (stream.respond(flat as never), stream.end("x"))));
    },
  );

  it("gets no header that is about a connection, which HTTP/2 forbids", async () => {
    const responseHeaders = { Connection: "keep-alive", "Keep-Alive": "timeout=9", Upgrade: "h3", "X-Added": "policy" };
    const removeResponseHeaders = ["Content-Length", "Transfer-Encoding"];
    const answer = await answered((stream) => void (stream.respond({ ":status": 201 }), stream.end("x")), {
      responseHeaders,
      removeResponseHeaders,
    });
    expect(answer).toMatchObject({ status: 201, body: "x", headers: { "x-added": "policy" } });
    for (const name of ["connection", "keep-alive", "upgrade"]) expect(answer.headers).not.toHaveProperty(name);
  });

  it("follows no policy on another server of the process", async () => {
    await answered((stream) => void (stream.respond(OWN), stream.end("x")));
    const other = http2.createSecureServer({ cert: CERTIFICATE.pem, key: CERTIFICATE.keyPem });
    other.on("stream", (stream) => void (stream.respond(OWN), stream.end("x")));
    const { headers } = await askHttp2(await sessionTo(await listen(other)), "/");
    expect(headers).toMatchObject({ "x-clash": "own", "x-gone": "1", "x-some": "bad, good" });
    expect(headers).toHaveProperty("date");
    expect(headers).not.toHaveProperty("x-added");
  });
});

test("the default app carries its headers over HTTP/2, and a stop lets open streams finish", async () => {
  const root = fileURLToPath(new URL("../fixtures/tls/", import.meta.url));
  const args = ["--http2", "--certificate-file", `${root}localhost.crt`, "--key-file", `${root}localhost.key`];
  await using runner = startRunner("hello.mjs", { instances: 2, args });
  const session = http2.connect(await runner.ready(2), { rejectUnauthorized: false });
  sessions.push(session);
  expect((await askHttp2(session, "/nowhere")).headers).toMatchObject({
    "x-frame-options": "SAMEORIGIN",
    "x-content-type-options": "nosniff",
  });
  const slow = Array.from({ length: 20 }, () => askHttp2(session, "/slow/700"));
  // Answered after the slow ones were sent, on the same connection: the server has them.
  await askHttp2(session, "/");
  const stopped = runner.stop();
  for (const answer of await Promise.all(slow)) expect(answer).toMatchObject({ status: 200, body: "slow" });
  expect(await stopped).toEqual({ code: 0, signal: null });
});
