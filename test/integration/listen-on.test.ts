import http from "node:http";
import net from "node:net";
import { once } from "node:events";
import { afterEach, expect, test, vi } from "vitest";
import { listenOn } from "../../src/http/server.ts";
import { bindSocket } from "../helpers/bound-socket.ts";
import { closeServer, rawExchange } from "../helpers/raw-http.ts";

const servers: http.Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await closeServer(server);
  }
});

function makeServer(): http.Server {
  const server = http.createServer((request, response) => void response.end(request.url));
  servers.push(server);
  return server;
}

const inherited = ({ fd, port }: { fd: number; port: number }): { fd: number; address: string } => ({
  fd,
  address: `127.0.0.1:${port}`,
});

const GET = "GET /hello HTTP/1.1\r\nHost: a\r\n";

/** Sends a request on an open connection and waits for the end of its answer. */
async function ask(socket: net.Socket): Promise<string> {
  let text = "";
  const answered = new Promise<void>((resolve, reject) => {
    socket.on("data", function collect(chunk: Buffer) {
      text += chunk.toString("latin1");
      if (!text.endsWith("/hello")) return;
      socket.removeListener("data", collect);
      resolve();
    });
    socket.once("close", () => reject(new Error("the connection was closed")));
  });
  socket.write(`${GET}\r\n`);
  await answered;
  return text;
}

test("serves every inherited socket with one server", async () => {
  const sockets = [bindSocket(), bindSocket(), bindSocket()];
  const acceptors = await listenOn(makeServer(), sockets.map(inherited), 511);
  for (const { port } of sockets) {
    const text = await rawExchange(port, `${GET}Connection: close\r\n\r\n`);
    expect(text).toMatch(/^HTTP\/1\.1 200 [^]*\/hello$/);
  }
  acceptors.stop();
});

test("stop() ends the accepting and leaves idle connections as they are", async () => {
  const sockets = [bindSocket(), bindSocket()];
  const acceptors = await listenOn(makeServer(), sockets.map(inherited), 511);
  const clients = sockets.map(({ port }) => net.connect(port, "127.0.0.1"));
  for (const client of clients) expect(await ask(client)).toContain("200 OK");

  acceptors.stop();
  acceptors.stop();

  for (const { port } of sockets) {
    const [error] = (await once(net.connect(port, "127.0.0.1"), "error").catch((thrown: unknown) => [thrown])) as [
      NodeJS.ErrnoException,
    ];
    expect(error.code).toBe("ECONNREFUSED");
  }
  for (const client of clients) {
    expect(await ask(client)).toContain("200 OK");
    client.destroy();
  }
});

test("every socket is set up as http does its own, with the backlog in its place", async () => {
  const listen = vi.spyOn(net.Server.prototype, "listen");
  const sockets = [bindSocket(), bindSocket()];
  const server = makeServer();
  const seen: net.Socket[] = [];
  server.on("connection", (socket) => void seen.push(socket));
  const acceptors = await listenOn(server, sockets.map(inherited), 37);
  expect(listen.mock.calls).toEqual(sockets.map(({ fd }) => [{ fd }, 37, expect.any(Function)]));
  listen.mockRestore();
  for (const { port } of sockets) await rawExchange(port, `${GET}Connection: close\r\n\r\n`);
  expect(seen.map(({ allowHalfOpen }) => allowHalfOpen)).toEqual([true, true]);
  acceptors.stop();
});

test("an address that another process listens on is EADDRINUSE, and the others are given up", async () => {
  const taken = bindSocket();
  // Bound while nobody listens yet: the error comes only from listen().
  const late = bindSocket(taken.port);
  const other = bindSocket();
  const first = await listenOn(makeServer(), [inherited(taken)], 511);
  await expect(listenOn(makeServer(), [inherited(other), inherited(late)], 511)).rejects.toMatchObject({
    code: "EADDRINUSE",
  });
  const [error] = (await once(net.connect(other.port, "127.0.0.1"), "error").catch((thrown: unknown) => [thrown])) as [
    NodeJS.ErrnoException,
  ];
  expect(error.code).toBe("ECONNREFUSED");
  first.stop();
});
