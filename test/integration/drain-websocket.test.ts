import { once } from "node:events";
import http from "node:http";
import type net from "node:net";
import type { Duplex } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { DrainableServer } from "../helpers/drainable-server.ts";
import { Gate } from "../helpers/gate.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { turns, within } from "../helpers/within.ts";

const UPGRADE =
  "GET /chat?token=secret HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const SWITCHING = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
const GOING_AWAY = "\x88\x02\x03\xe9";

let drainable: DrainableServer;
let server: http.Server;
const sockets: { destroy(): unknown }[] = [];

beforeEach(async () => {
  server = http.createServer((_, response) => void response.end("ok"));
  drainable = new DrainableServer(server);
  await drainable.listen();
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await drainable[Symbol.asyncDispose]();
});

function serveWebSockets(): WebSocketServer {
  return new WebSocketServer({ server });
}

async function connectWebSocket(): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${drainable.port}/`);
  sockets.push({ destroy: () => socket.terminate() });
  await within(once(socket, "open"), "a WebSocket");
  return socket;
}

async function connectRaw(): Promise<RawClient> {
  const client = await RawClient.connect(drainable.target, true);
  sockets.push(client.socket);
  return client;
}

test("a WebSocket gets 1001 on a stop, and the app's side learns of it", async () => {
  const appSide = new Gate<number>();
  serveWebSockets().on("connection", (socket) => socket.on("close", (code) => appSide.open(code)));
  const socket = await connectWebSocket();
  const { drained } = await drainable.beginDrain();
  const [code] = await within(once(socket, "close"), "the client's close");
  expect(code).toBe(1001);
  expect(await within(appSide.opened, "the app's close")).toBe(1001);
  await drained;
});

test("WebSockets are closed one after the other over the spread when the instance is replaced", async () => {
  serveWebSockets();
  const codes: number[] = [];
  for (let n = 0; n < 4; n++) (await connectWebSocket()).on("close", (code) => codes.push(code));
  const { drained } = await drainable.beginDrain({ mode: "replaced", closeSpreadMs: 8000 });
  for (let closed = 1; closed <= 4; closed++) {
    drainable.clock.advance(closed === 1 ? 0 : 2000);
    while (drainable.connections.count > 4 - closed) await turns(1);
    await turns();
    expect(codes).toEqual(Array.from({ length: closed }, () => 1001));
  }
  await drained;
});

test("the close frame waits for the end of a frame that is half-sent, and nothing follows it", async () => {
  const upgraded = new Gate<Duplex>();
  server.on("upgrade", (_, socket) => upgraded.open(socket));
  const client = await connectRaw();
  client.send(UPGRADE);
  const socket = await within(upgraded.opened, "the upgrade");
  socket.write(SWITCHING);
  // As a proxy writes what comes from behind it: a text frame of 5 bytes, of which two are there.
  socket.write(Buffer.from("\x81\x05he", "latin1"));
  const { drained } = await drainable.beginDrain();
  await turns();
  expect(client.received.endsWith("he")).toBe(true);
  socket.write("llo");
  let written = false;
  socket.write(Buffer.from("\x81\x02no", "latin1"), () => (written = true));
  await client.until(/llo/);
  await turns();
  expect(client.received).toBe(`${SWITCHING}\x81\x05hello${GOING_AWAY}`);
  expect(written).toBe(true);
  socket.on("end", () => socket.end()).resume();
  client.socket.end();
  await drained;
});

test("an app that is closing by itself is left alone", async () => {
  const upgraded = new Gate<Duplex>();
  server.on("upgrade", (_, socket) => upgraded.open(socket));
  const client = await connectRaw();
  client.send(UPGRADE);
  const socket = await within(upgraded.opened, "the upgrade");
  socket.write(Buffer.from(`${SWITCHING}\x88\x02\x03\xe8`, "latin1"));
  await drainable.beginDrain();
  await turns();
  expect(client.received).toBe(`${SWITCHING}\x88\x02\x03\xe8`);
});

test("a client that does not answer the close frame is ended after five seconds", async () => {
  serveWebSockets();
  const client = await connectRaw();
  client.send(UPGRADE);
  await client.until(/\r\n\r\n/);
  const { drained } = await drainable.beginDrain();
  await client.until(GOING_AWAY);
  drainable.clock.advance(4999);
  await turns();
  expect(drainable.connections.count).toBe(1);
  drainable.clock.advance(1);
  expect(await client.end()).toBe("fin");
  await turns();
  drainable.clock.advance(1000);
  await drained;
});

test("a handshake that the app refuses is an answer as others", async () => {
  server.on("upgrade", (_, socket) => void socket.end("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"));
  const client = await connectRaw();
  const { drained } = await drainable.beginDrain();
  client.send(UPGRADE);
  expect(await client.end()).toBe("fin");
  expect(client.received).toMatch(/^HTTP\/1\.1 401 [^\x88]*$/);
  client.socket.end();
  await drained;
});

test("a WebSocket made during a stop is closed once its handshake is done", async () => {
  serveWebSockets();
  const client = await connectRaw();
  await drainable.beginDrain();
  client.send(UPGRADE);
  await client.until(`\r\n\r\n${GOING_AWAY}`);
  expect(client.received).toMatch(/^HTTP\/1\.1 101 /);
});

test("another upgraded socket stays until the deadline, and is named", async () => {
  server.on("upgrade", (_, socket) => void socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\n"));
  const client = await connectRaw();
  client.send("GET /tunnel?key=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tunnel\r\n\r\n");
  await client.until(/\r\n\r\n/);
  const { drained } = await drainable.beginDrain();
  drainable.clock.advance(29_999);
  await turns();
  expect(client.received).toBe("HTTP/1.1 101 Switching Protocols\r\n\r\n");
  expect(drainable.connections.requests).toBe(0);
  expect(drainable.connections.openRequests()).toEqual([{ method: "GET", path: "/tunnel", ageMs: 29_999 }]);
  drainable.connections.destroyAll();
  await drained;
});

test("a socket that is upgraded during the grace does not end with it", async () => {
  server.on("upgrade", (_, socket) => void socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\n"));
  const client = await connectRaw();
  await drainable.beginDrain();
  client.send("GET /tunnel HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tunnel\r\n\r\n");
  await client.until(/\r\n\r\n/);
  drainable.clock.advance(500);
  await turns();
  drainable.clock.advance(1000);
  await turns();
  expect(client.socket.readableEnded).toBe(false);
  expect(drainable.connections.openRequests()).toHaveLength(1);
});

test("CONNECT is an upgraded socket too", async () => {
  server.on("connect", (_, socket: net.Socket) => void socket.write("HTTP/1.1 200 OK\r\n\r\n"));
  const client = await connectRaw();
  client.send("CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n");
  await client.until(/\r\n\r\n/);
  const { drained } = await drainable.beginDrain();
  drainable.clock.advance(10_000);
  await turns();
  expect(drainable.connections.openRequests()).toMatchObject([{ method: "CONNECT", path: "example.org:443" }]);
  drainable.connections.destroyAll();
  await drained;
});
