import { once } from "node:events";
import http2, { type ClientHttp2Session, type ClientHttp2Stream, type ServerHttp2Stream } from "node:http2";
import net from "node:net";
import tls from "node:tls";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DrainableServer, tlsFiles } from "../helpers/drainable-server.ts";
import { Gate } from "../helpers/gate.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { turns, within } from "../helpers/within.ts";

let drainable: DrainableServer;
let handler: (stream: ServerHttp2Stream, path: string) => void;
const sessions: { destroy(): unknown }[] = [];

beforeEach(async () => {
  handler = (stream, path) => answer(stream, path);
  const server = http2.createSecureServer({ ...tlsFiles, allowHTTP1: true });
  drainable = new DrainableServer(server);
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    handler(stream, headers[":path"] ?? "");
  });
  await drainable.listen();
});

afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy();
  await drainable[Symbol.asyncDispose]();
});

function answer(stream: ServerHttp2Stream, path: string): void {
  stream.respond({ ":status": 200 });
  stream.end(`of ${path}`);
}

async function connect(): Promise<ClientHttp2Session> {
  const session = http2.connect(`https://localhost:${drainable.port}`, { ca: tlsFiles.cert });
  session.on("error", () => {});
  sessions.push(session);
  await within(once(session, "connect"), "a session");
  await within(once(session, "remoteSettings"), "its settings");
  return session;
}

/** The body; "refused", when the app has never seen the request; or the code of the error that it ended with. */
async function get(session: ClientHttp2Session, path: string): Promise<string> {
  let body = "";
  let stream: ClientHttp2Stream | undefined;
  try {
    stream = session.request({ ":path": path });
    stream.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    await within(once(stream, "close"), `the answer of ${path}`);
    return stream.rstCode === http2.constants.NGHTTP2_NO_ERROR ? body : `code ${stream.rstCode}`;
  } catch (error) {
    if (stream?.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM) return "refused";
    const { code } = error as NodeJS.ErrnoException;
    // Node's client makes no streams on a session that is going away.
    return code === "ERR_HTTP2_GOAWAY_SESSION" || code === "ERR_HTTP2_INVALID_SESSION" ? "refused" : (code ?? "failed");
  }
}

test("open streams finish, and the session ends by GOAWAY", async () => {
  const came = new Gate();
  const release = new Gate();
  handler = (stream, path) => {
    came.open();
    void release.opened.then(() => answer(stream, path));
  };
  const session = await connect();
  const goaway = once(session, "goaway");
  const bodies = Array.from({ length: 100 }, (_, n) => get(session, `/${n}`));
  await within(came.opened, "a stream");
  while (drainable.connections.requests < 100) await turns(1);
  const { drained } = await drainable.beginDrain();
  drainable.clock.advance(500);
  expect((await within(goaway, "GOAWAY")).slice(0, 2)).toEqual([0, 199]);
  expect(drainable.connections.requests).toBe(100);
  release.open();
  expect(await Promise.all(bodies)).toEqual(bodies.map((_, n) => `of /${n}`));
  await drained;
});

test.each(["stop", "replaced"] as const)("an idle session gets GOAWAY by itself: %s", async (mode) => {
  const session = await connect();
  expect(await get(session, "/1")).toBe("of /1");
  let goaways = 0;
  session.on("goaway", () => goaways++);
  const { drained } = await drainable.beginDrain({ mode });
  drainable.clock.advance(499);
  await turns();
  expect(goaways).toBe(0);
  drainable.clock.advance(1);
  await within(once(session, "close"), "the session's end");
  expect(goaways).toBeGreaterThan(0);
  await drained;
});

test("the stream that comes first is answered, and GOAWAY follows it at once", async () => {
  const session = await connect();
  const { drained } = await drainable.beginDrain({ mode: "replaced" });
  const goaway = once(session, "goaway");
  const answers = [get(session, "/1"), get(session, "/2")];
  expect(await Promise.all(answers)).toEqual(["of /1", "of /2"]);
  expect((await within(goaway, "GOAWAY")).slice(0, 2)).toEqual([0, 3]);
  await drained;
});

test("a session whose handshake was going on when the drain began is served, however long its stream takes", async () => {
  const came = new Gate<ServerHttp2Stream>();
  handler = (stream) => came.open(stream);
  const socket = net.connect(drainable.port, "127.0.0.1");
  sessions.push(socket);
  await within(once(socket, "connect"), "a connection");
  await turns();
  const { drained } = await drainable.beginDrain();
  const secured = tls.connect({ socket, ca: tlsFiles.cert, servername: "localhost", ALPNProtocols: ["h2"] });
  const session = http2.connect("https://localhost", { createConnection: () => secured });
  sessions.push(session);
  const body = get(session, "/late");
  const stream = await within(came.opened, "the stream");
  drainable.clock.advance(500);
  await turns();
  drainable.clock.advance(1000);
  await turns();
  answer(stream, "/late");
  expect(await body).toBe("of /late");
  await drained;
});

test("a session whose client does not close is destroyed a second after its end", async () => {
  await using plain = new DrainableServer(http2.createServer());
  await plain.listen();
  const client = await RawClient.connect(plain.target, true);
  sessions.push(client.socket);
  client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
  await client.until("\x04");
  const { drained } = await plain.beginDrain({ mode: "replaced" });
  plain.clock.advance(500);
  expect(await client.end()).toBe("fin");
  await turns();
  plain.clock.advance(999);
  await turns();
  expect(plain.connections.count).toBe(1);
  plain.clock.advance(1);
  await drained;
});

test("every stream is answered or refused, however many clients race the GOAWAY", async () => {
  const handled = new Set<string>();
  handler = (stream, path) => {
    handled.add(path);
    setImmediate(() => setImmediate(() => answer(stream, path)));
  };
  const session = await connect();
  const outcomes = { answered: 0, refused: 0, failed: [] as string[] };
  async function client(name: number): Promise<void> {
    for (let n = 0; n < 40 && outcomes.refused < 50; n++) {
      const path = `/${name}/${n}`;
      const outcome = await get(session, path);
      if (outcome === `of ${path}`) outcomes.answered++;
      else if (outcome === "refused" && !handled.has(path)) outcomes.refused++;
      else outcomes.failed.push(outcome);
    }
  }
  const clients = Promise.all(Array.from({ length: 50 }, (_, name) => client(name)));
  while (handled.size < 200) await turns(1);
  const { drained } = await drainable.beginDrain({ mode: "replaced" });
  await clients;
  await drained;
  expect(outcomes.failed).toEqual([]);
  expect(outcomes.answered).toBe(handled.size);
  expect(handled.size).toBeLessThan(50 * 40);
});

test("names open streams and counts them, through the compatibility API too", async () => {
  const server = http2.createSecureServer(tlsFiles);
  await using compatible = new DrainableServer(server);
  const came = new Gate();
  server.on("request", () => came.open());
  await compatible.listen();
  const session = http2.connect(`https://localhost:${compatible.port}`, { ca: tlsFiles.cert });
  session.on("error", () => {});
  sessions.push(session);
  session.request({ ":path": "/events?key=secret" }).on("error", () => {});
  await within(came.opened, "the request");
  const { connections } = compatible;
  expect([connections.count, connections.requests, connections.totalRequests]).toEqual([1, 1, 1]);
  expect(connections.openRequests()).toEqual([{ method: "GET", path: "/events", ageMs: 0 }]);
  session.destroy();
  await within(connections.gone(), "the end of the connection");
  expect(connections.requests).toBe(0);
});

test("HTTP/2 without TLS drains too", async () => {
  const server = http2.createServer();
  await using plain = new DrainableServer(server);
  const came = new Gate<ServerHttp2Stream>();
  server.on("stream", (stream) => came.open(stream));
  await plain.listen();
  const session = http2.connect(`http://localhost:${plain.port}`);
  sessions.push(session);
  const body = get(session, "/plain");
  const stream = await within(came.opened, "the stream");
  const { drained } = await plain.beginDrain();
  plain.clock.advance(500);
  answer(stream, "/plain");
  expect(await body).toBe("of /plain");
  await drained;
});
