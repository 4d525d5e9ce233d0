/** WebSockets of @fastify/websocket and Socket.IO, with their own clients, on instances that are replaced and stopped. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import http2 from "node:http2";
import { fileURLToPath } from "node:url";
import websocket from "@fastify/websocket";
import Fastify from "fastify";
import { Server } from "socket.io";
import { io, type Socket } from "socket.io-client";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { DrainableServer, tlsFiles } from "../helpers/drainable-server.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { type Running, startRunner, until } from "../helpers/start-runner.ts";
import { turns, within } from "../helpers/within.ts";

const fixture = (file: string): string => fileURLToPath(new URL(`../fixtures/tls/localhost.${file}`, import.meta.url));
const FILES = ["--certificate-file", fixture("crt"), "--key-file", fixture("key")];
const PROTOCOLS: readonly [string, readonly string[]][] = [
  ["HTTP/1.1", []],
  ["TLS", ["--ssl", ...FILES]],
  ["a server for HTTP/2", ["--http2", ...FILES]],
];
const trusting = { ca: readFileSync(fixture("crt"), "utf8"), servername: "localhost" };

const UPGRADE =
  "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const GOING_AWAY = "\x88\x02\x03\xe9";

function restartOf(runner: Running, generation: number): Promise<unknown> {
  process.kill(runner.pid, "SIGHUP");
  return runner.event("restart-finished", { outcome: "done", generation });
}

describe.each(PROTOCOLS)("%s", (_, protocol) => {
  test("@fastify/websocket: clients get 1001 when their instance is replaced, and when it is stopped", async () => {
    const args = [...protocol, "--canary-time", "0s", "--close-spread", "200ms"];
    await using runner = startRunner("fastify-websocket.mjs", { args });
    const url = (await runner.ready(1)).replace(/^http/, "ws");
    const converse = async (): Promise<WebSocket> => {
      const socket = new WebSocket(`${url}/chat`, trusting);
      await within(once(socket, "open"), "a WebSocket");
      socket.send("hello");
      const [echo] = await within(once(socket, "message"), "the echo");
      expect(String(echo)).toBe("hello");
      return socket;
    };
    const closesOf = (sockets: readonly WebSocket[]): Promise<number[]> =>
      within(
        Promise.all(sockets.map(async (socket) => ((await once(socket, "close")) as number[])[0]!)),
        "the close of all WebSockets",
      );
    const first = [await converse(), await converse(), await converse()];
    const replaced = closesOf(first);
    await restartOf(runner, 1);
    expect(await replaced).toEqual([1001, 1001, 1001]);
    // The app's side: it was the client that closed in the end.
    await until(() => runner.lines.filter(({ code }) => code === 1001).length === 3, "the closes in the app");
    await runner.event("instance-exited", { generation: 0, reason: "asked", code: 0 });

    const stopped = closesOf([await converse()]);
    expect(await runner.stop()).toMatchObject({ code: 0 });
    expect(await stopped).toEqual([1001]);
    expect(runner.events("instance-killed")).toEqual([]);
  });

  test.each(["websocket", "polling"])("Socket.IO by %s: the client comes back by itself", async (transport) => {
    const args = [...protocol, "--canary-time", "0s", "--close-spread", "200ms"];
    await using runner = startRunner("socket-io.mjs", { args });
    const url = await runner.ready(1);
    const socket: Socket = io(url, { ...trusting, transports: [transport], reconnectionDelay: 50 });
    const failures: unknown[] = [];
    socket.on("connect_error", (error) => failures.push(error));
    const next = (event: string): Promise<unknown> => new Promise((resolve) => socket.once(event, resolve));
    try {
      const say = async (value: number): Promise<number> => {
        const answer: { value: number; pid: number } = await socket.timeout(8000).emitWithAck("say", value);
        expect(answer.value).toBe(value);
        return answer.pid;
      };
      const first = await say(1);
      const replaced = within(next("disconnect"), "the end of the first session");
      await restartOf(runner, 1);
      expect(await replaced).toBe("transport close");
      await within(next("connect"), "the second session");
      expect(await say(2)).not.toBe(first);
      expect(failures).toEqual([]);
      // Long before the library itself would answer a poll.
      await runner.event("instance-exited", { generation: 0, reason: "asked", code: 0 }, 10_000);
      expect(await runner.stop()).toMatchObject({ code: 0 });
      expect(runner.events("instance-killed")).toEqual([]);
    } finally {
      socket.disconnect();
    }
  });
});

test("@fastify/websocket says nothing more when Fastify closes after the drain", async () => {
  const app = Fastify();
  await app.register(websocket);
  app.get("/chat", { websocket: true }, (socket: WebSocket) => void socket.on("message", () => {}));
  await app.ready();
  await using drainable = new DrainableServer(app.server);
  await drainable.listen();
  const client = await RawClient.connect(drainable.target, true);
  client.send(UPGRADE);
  await client.until(/\r\n\r\n/);
  const { drained } = await drainable.beginDrain();
  await client.until(GOING_AWAY);
  // The client's own close frame, masked with zeros.
  client.socket.write("\x88\x82\0\0\0\0\x03\xe9", "latin1");
  expect(await client.end()).toBe("fin");
  client.socket.end();
  await drained;
  await app.close();
  expect(client.received.split("\r\n\r\n")[1]).toBe(GOING_AWAY);
});

describe("a long poll", () => {
  const PATH = "/socket.io/?EIO=4&transport=polling";

  /** What is used of the app's side of a session. */
  interface Session {
    write(text: string): void;
  }

  interface Served {
    readonly drainable: DrainableServer;
    readonly engine: Server;
    readonly sessions: Session[];
  }

  async function serve(): Promise<Served> {
    const drainable = await DrainableServer.start("http", (_, response) => void response.end("no poll"));
    const engine = new Server(drainable.server as never);
    const sessions: Session[] = [];
    engine.engine.on("connection", (session: Session) => sessions.push(session));
    return { drainable, engine, sessions };
  }

  /** A client with a session and a poll that is open. */
  async function openPoll({ drainable, sessions }: Served): Promise<{ client: RawClient; poll: string }> {
    const client = await RawClient.connect(drainable.target, true);
    client.send(`GET ${PATH} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await client.until(/"sid":"([^"]+)"/);
    const poll = `GET ${PATH}&sid=${/"sid":"([^"]+)"/.exec(client.received)![1]} HTTP/1.1\r\nHost: x\r\n\r\n`;
    await turns();
    client.received = "";
    client.send(poll);
    await until(() => drainable.connections.requests === sessions.length, "the poll");
    await turns();
    return { client, poll };
  }

  test("is answered with the protocol's close on a stop, at its share of the spread when replaced", async () => {
    for (const mode of ["stop", "replaced"] as const) {
      const served = await serve();
      const { drainable, engine } = served;
      await using _ = drainable;
      const polls = [await openPoll(served), await openPoll(served)];
      const { drained } = await drainable.beginDrain({ mode, closeSpreadMs: 4000 });
      drainable.clock.advance(1);
      await polls[0]!.client.until(/\r\n\r\n1$/);
      expect(polls[0]!.client.received).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*Connection: close\r\n[^]*\r\n\r\n1$/);
      if (mode === "replaced") {
        await turns();
        expect(polls[1]!.client.received).toBe("");
        drainable.clock.advance(2000);
      }
      await polls[1]!.client.until(/\r\n\r\n1$/);
      await until(() => engine.engine.clientsCount === 0, "the end of both sessions in the app");
      for (const { client } of polls) client.socket.end();
      await drained;
    }
  });

  test("that comes during the drain is ended too", async () => {
    const served = await serve();
    const { drainable, sessions } = served;
    await using _ = drainable;
    const { client, poll } = await openPoll(served);
    sessions[0]!.write("hello");
    await client.until(/4hello$/);
    client.received = "";
    const { drained } = await drainable.beginDrain({ mode: "replaced", closeSpreadMs: 4000 });
    client.send(poll);
    await until(() => drainable.connections.requests === 1, "the poll");
    await turns();
    drainable.clock.advance(2000);
    await client.until(/\r\n\r\n1$/);
    client.socket.end();
    await drained;
  });

  test("may be answered by the app after that, to no effect", async () => {
    const served = await serve();
    const { drainable, sessions } = served;
    await using _ = drainable;
    const { client } = await openPoll(served);
    const { drained } = await drainable.beginDrain({ mode: "replaced", closeSpreadMs: 4000 });
    drainable.clock.advance(0);
    sessions[0]!.write("late");
    await client.until(/\r\n\r\n1$/);
    client.socket.end();
    await drained;
    expect(client.received).toMatch(/\r\n\r\n1$/);
  });

  test("over HTTP/2 is answered as well", async () => {
    const server = http2.createSecureServer({ ...tlsFiles, allowHTTP1: true }, (_, response) =>
      response.end("no poll"),
    );
    await using drainable = new DrainableServer(server);
    const engine = new Server(server as never);
    await drainable.listen();
    const session = http2.connect(`https://127.0.0.1:${drainable.port}`, trusting);
    const begin = async (path: string): Promise<http2.ClientHttp2Stream> => session.request({ ":path": path });
    const text = async (stream: http2.ClientHttp2Stream): Promise<string> => {
      let whole = "";
      for await (const chunk of stream.setEncoding("utf8")) whole += chunk;
      return whole;
    };
    const { sid } = JSON.parse((await text(await begin(PATH))).slice(1)) as { sid: string };
    const poll = text(await begin(`${PATH}&sid=${sid}`));
    await until(() => drainable.connections.requests === 1, "the poll");
    const { drained } = await drainable.beginDrain();
    expect(await within(poll, "the answer to the poll")).toBe("1");
    await until(() => engine.engine.clientsCount === 0, "the end of the session in the app");
    drainable.clock.advance(2000);
    await drained;
  });
});
