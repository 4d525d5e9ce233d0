/**
 * Clients that are too slow, too large or lie about where a request ends: refused as Node's own server refuses them, counted, and
 * never left hanging. Over HTTP, TLS, and HTTP/1.1 on the server for HTTP/2.
 */
import http from "node:http";
import type { Server } from "node:net";
import fastify from "fastify";
import { afterEach, describe, expect, it, test } from "vitest";
import { type Connections, trackConnections } from "../../src/http/connections.ts";
import { compileHeaderPolicy } from "../../src/http/headers.ts";
import { DEFAULT_LIMITS, type ServerLimits } from "../../src/http/limits.ts";
import type { TlsSettings } from "../../src/http/server.ts";
import { recogniseApp, type ServedApp } from "../../src/instance/app.ts";
import { openServer } from "../../src/instance/open-server.ts";
import { makeCertificate } from "../helpers/certificates.ts";
import { RawClient, type Target } from "../helpers/raw-client.ts";
import { closeServer, listenAnywhere } from "../helpers/raw-http.ts";
import { startRunner, until } from "../helpers/start-runner.ts";

const CERTIFICATE = makeCertificate();
const material = {
  identity: { form: "pem", certificate: CERTIFICATE.pem, key: CERTIFICATE.keyPem },
  ticketKeys: Buffer.alloc(48, 7).toString("base64"),
} as const;
const TRANSPORTS: Readonly<Record<string, TlsSettings | undefined>> = {
  http: undefined,
  https: { material, http2: false },
  "HTTP/1.1 on the server for HTTP/2": { material, http2: true },
};

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await closeServer(server);
});

interface Served {
  readonly target: Target;
  readonly connections: Connections;
  /** What the app saw. */
  readonly bodies: string[];
}

async function serve(transport: string, limits: Partial<ServerLimits> = {}, own?: ServedApp): Promise<Served> {
  const bodies: string[] = [];
  const tls = TRANSPORTS[transport];
  const server = await openServer(own ?? recogniseApp(echo(bodies)), {
    headers: compileHeaderPolicy({ responseHeaders: { "X-Added": "policy" } }),
    onError: () => {},
    settings: { limits: { ...DEFAULT_LIMITS, ...limits }, tls },
  });
  servers.push(server);
  const connections = trackConnections(server);
  const port = await listenAnywhere(server);
  const trusting = { ca: CERTIFICATE.pem, servername: "localhost" };
  return { target: { port, host: "127.0.0.1", ...(tls && { tls: trusting }) }, connections, bodies };
}

function echo(bodies: string[]) {
  return (request: http.IncomingMessage, response: http.ServerResponse): void => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString("latin1")));
    request.on("end", () => {
      bodies.push(`${request.method} ${request.url} ${body}`);
      response.end(`got ${body}`);
    });
  };
}

/** Sends, and gives the status of each answer when the server has ended the connection. */
async function exchange(target: Target, bytes: string): Promise<number[]> {
  const client = await RawClient.connect(target);
  client.send(bytes);
  await client.end();
  client.socket.destroy();
  return client.heads().map((head) => Number(head.split(" ")[1]));
}

const POST = "POST /first HTTP/1.1\r\nHost: a\r\n";
const NEXT = "GET /smuggled HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/** Each may be read in two ways; a proxy in front may have read the other one. */
const AMBIGUOUS: Readonly<Record<string, string>> = {
  "Content-Length beside Transfer-Encoding": `${POST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${NEXT}`,
  "Transfer-Encoding beside Content-Length": `${POST}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n${NEXT}`,
  "two Content-Lengths": `${POST}Content-Length: 4\r\nContent-Length: 40\r\n\r\nbody${NEXT}`,
  "a list as Content-Length": `${POST}Content-Length: 4, 4\r\n\r\nbody${NEXT}`,
  "a Content-Length with a sign": `${POST}Content-Length: +4\r\n\r\nbody${NEXT}`,
  "a Transfer-Encoding that does not end in chunked": `${POST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${NEXT}`,
  "an unknown Transfer-Encoding": `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${NEXT}`,
  "a space before the colon": `${POST}Content-Length : 4\r\n\r\nbody${NEXT}`,
  "a header line that is folded": `${POST}X-Long: one\r\n two\r\nContent-Length: 0\r\n\r\n${NEXT}`,
  "bare LF after a header": `${POST}Content-Length: 4\nX: y\r\n\r\nbody${NEXT}`,
  "bare LF at the end of the head": `${POST}Content-Length: 4\r\n\nbody${NEXT}`,
  "bare CR in a header": `${POST}X: y\rContent-Length: 4\r\n\r\nbody${NEXT}`,
  "a NUL in a header": `${POST}X: y\0\r\nContent-Length: 4\r\n\r\nbody${NEXT}`,
  "a chunk size that is no number": `${POST}Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n${NEXT}`,
  "bare LF after a chunk size": `${POST}Transfer-Encoding: chunked\r\n\r\n4\nbody\r\n0\r\n\r\n${NEXT}`,
  "a chunk longer than it says": `${POST}Transfer-Encoding: chunked\r\n\r\n2\r\nbody\r\n0\r\n\r\n${NEXT}`,
  "no Host": `POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n${NEXT}`,
  "two requests without a break": `GET / HTTP/1.1\r\nHost: a\r\n\r\nGET${NEXT}`,
};

/** Those that every version of Node refuses with 400, as RFC 9112 asks for: nothing of what follows is read. */
const ALWAYS_REFUSED = [
  "Content-Length beside Transfer-Encoding",
  "Transfer-Encoding beside Content-Length",
  "two Content-Lengths",
  "a Content-Length with a sign",
  "a space before the colon",
  "a NUL in a header",
];

describe.each(Object.keys(TRANSPORTS))("over %s", (transport) => {
  it.each(Object.keys(AMBIGUOUS))("%s is taken as Node takes it", async (what) => {
    const bytes = AMBIGUOUS[what]!;
    const seenByNode: string[] = [];
    const stock = http.createServer(echo(seenByNode));
    servers.push(stock);
    const expected = await exchange({ port: await listenAnywhere(stock), host: "127.0.0.1" }, bytes);
    const { target, connections, bodies } = await serve(transport);
    expect(await exchange(target, bytes)).toEqual(expected);
    expect(bodies).toEqual(seenByNode);
    if (ALWAYS_REFUSED.includes(what)) {
      expect(expected).toEqual([400]);
      expect(bodies.filter((body) => body.includes("smuggled"))).toEqual([]);
    }
    // What Node answers after parsing, as 400 for no Host, is no client error to it.
    const refusals = what === "no Host" ? 0 : expected.filter((status) => status === 400).length;
    expect(connections.totalRefused).toBe(refusals);
    await until(() => connections.count === 0, "the connection to be gone");
    expect(connections.requests).toBe(0);
  });

  it("headers that come too slowly are refused with 408, and counted", async () => {
    const { target, connections } = await serve(transport, { headersTimeout: 100 });
    const client = await RawClient.connect(target);
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ");
    await client.end();
    expect(client.received).toMatch(/^HTTP\/1\.1 408 [^]*X-Added: policy/);
    expect(connections.totalRefused).toBe(1);
  });

  it("a body that comes too slowly ends the connection, and is counted", async () => {
    const { target, connections, bodies } = await serve(transport, { requestTimeout: 150 });
    const client = await RawClient.connect(target);
    client.send(`${POST}Content-Length: 10\r\n\r\nhalf`);
    await client.end();
    expect(client.received).toMatch(/^HTTP\/1\.1 408 /);
    expect(bodies).toEqual([]);
    expect(connections.totalRefused).toBe(1);
  });

  it("a connection that says nothing is ended", async () => {
    const { target } = await serve(transport, { headersTimeout: 100 });
    const client = await RawClient.connect(target);
    await client.end();
  });

  it("headers that are too large are refused with 431, and counted", async () => {
    for (const [maxHeaderSize, size] of [
      [undefined, 17_000],
      [1000, 1100],
    ] as const) {
      const { target, connections } = await serve(transport, { maxHeaderSize });
      expect(await exchange(target, `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(size)}\r\n\r\n`)).toEqual([431]);
      expect(connections.totalRefused).toBe(1);
    }
    const { target } = await serve(transport, { maxHeaderSize: 40_000 });
    const large = `GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: ${"x".repeat(30_000)}\r\n\r\n`;
    expect(await exchange(target, large)).toEqual([200]);
  });

  it("pipelined requests are all answered, in order, and one too many for the connection is refused", async () => {
    const { target, bodies } = await serve(transport);
    const requests = Array.from({ length: 20 }, (_, n) => `GET /${n} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const statuses = await exchange(target, requests.join("") + NEXT);
    expect(statuses).toEqual(Array.from({ length: 21 }, () => 200));
    expect(bodies[7]).toBe("GET /7 ");
    const limited = await serve(transport, { maxRequestsPerSocket: 2 });
    expect(await exchange(limited.target, requests.slice(0, 2).join("") + NEXT)).toEqual([200, 200, 503]);
  });

  it("an idle connection is ended after --keep-alive-timeout, which its client is told", async () => {
    const { target } = await serve(transport, { keepAliveTimeout: 1000 });
    const client = await RawClient.connect(target);
    client.get("/");
    await client.until("got");
    expect(client.received).toContain("Keep-Alive: timeout=1\r\n");
    await client.end();
  });
});

test.each(["https", "HTTP/1.1 on the server for HTTP/2"])(
  "over %s a handshake that is not finished is ended, and counted",
  async (transport) => {
    const { target, connections } = await serve(transport, { headersTimeout: 100 });
    const { tls: _, ...plain } = target;
    const silent = await RawClient.connect(plain);
    await silent.end();
    const wrong = await RawClient.connect(plain);
    wrong.get("/");
    await wrong.end();
    expect(silent.received + wrong.received).not.toContain("HTTP");
    await until(() => connections.totalFailedHandshakes === 2, "two failed handshakes");
    expect(connections.totalRefused).toBe(0);
  },
);

describe("an app with a server of its own", () => {
  const idle = (served: Served): Promise<string> =>
    RawClient.connect(served.target).then(async (client) => {
      client.get("/");
      await client.until("Keep-Alive");
      client.socket.destroy();
      return /Keep-Alive: (.*)\r/.exec(client.received)?.[1] ?? "";
    });

  it.each(Object.keys(TRANSPORTS))("keeps what it has set, and gets ours for the rest, over %s", async (transport) => {
    const own = http.createServer({ keepAliveTimeout: 9000 }, echo([]));
    const served = await serve(transport, { keepAliveTimeout: 7000, maxRequestsPerSocket: 1 }, recogniseApp(own));
    const client = await RawClient.connect(served.target);
    client.get("/", "/");
    await client.until("503");
    client.socket.destroy();
    const bare = await serve(transport, { keepAliveTimeout: 7000 }, recogniseApp(http.createServer(echo([]))));
    expect(await idle(bare)).toBe("timeout=7");
    const set = await serve(transport, {}, recogniseApp(http.createServer({ keepAliveTimeout: 9000 }, echo([]))));
    expect(await idle(set)).toBe("timeout=9");
    const app = fastify({ keepAliveTimeout: 11_000 });
    expect(await idle(await serve(transport, {}, recogniseApp(app)))).toBe("timeout=11");
  });
});

describe("the options", () => {
  it("reach the default app, whose own defaults differ, and the Runner's fastify options win over them", async () => {
    const args = ["--headers-timeout", "300ms", "--max-header-size", "1kB"];
    await using runner = startRunner("hello.mjs", { args });
    const port = Number(new URL(await runner.ready(1)).port);
    const target = { port, host: "127.0.0.1" };
    const client = await RawClient.connect(target);
    client.get("/");
    await client.until("hello");
    // Fastify's own is 72 s.
    expect(client.received).toContain("Keep-Alive: timeout=5\r\n");
    client.send("GET / HTTP/1.1\r\n");
    await client.until("408");
    expect(await exchange(target, `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(1100)}\r\n\r\n`)).toEqual([431]);

    await using own = startRunner("fastify-limits.mjs", { args: ["--keep-alive-timeout", "7s"] });
    const other = await RawClient.connect({ port: Number(new URL(await own.ready(1)).port), host: "127.0.0.1" });
    other.get("/");
    await other.until("Keep-Alive: timeout=13\r\n");
    other.socket.destroy();
  });
});
