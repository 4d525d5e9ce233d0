import { once } from "node:events";
import { stat } from "node:fs/promises";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import net from "node:net";
import express from "express";
import fastify from "fastify";
import { afterEach, describe, expect, test } from "vitest";
import { DrainableServer, type Transport } from "../helpers/drainable-server.ts";
import { Gate } from "../helpers/gate.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { turns, within } from "../helpers/within.ts";

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

let drainable: DrainableServer;
const clients: RawClient[] = [];

afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy();
  await drainable[Symbol.asyncDispose]();
});

async function start(listener: Listener, transport: Transport = "http"): Promise<DrainableServer> {
  drainable = await DrainableServer.start(transport, listener);
  return drainable;
}

async function connect(allowHalfOpen = false): Promise<RawClient> {
  const client = await RawClient.connect(drainable.target, allowHalfOpen);
  clients.push(client);
  return client;
}

/** A client that has had one answer, kept alive. */
async function connectIdle(): Promise<RawClient> {
  const client = await connect();
  client.get("/first");
  await client.until(/of \/first$/);
  client.received = "";
  return client;
}

/** Answers at once. */
const answer: Listener = (request, response) => void response.end(`of ${request.url}`);

/** Answers when the test lets it. */
function held(): { listener: Listener; came: Gate; release: Gate } {
  const came = new Gate();
  const release = new Gate();
  const listener: Listener = (request, response) => {
    if (request.url === "/first") return answer(request, response);
    came.open();
    void release.opened.then(() => response.end(`of ${request.url}`));
  };
  return { listener, came, release };
}

describe.each<Transport>(["http", "unix", "https", "http1 on http2"])("over %s", (transport) => {
  test("answers the request in flight with Connection: close, and ends in order", async () => {
    const { listener, came, release } = held();
    await start(listener, transport);
    const client = await connect();
    client.get("/slow");
    await within(came.opened, "the request");
    const { drained } = await drainable.beginDrain();
    release.open();
    expect(await client.end()).toBe("fin");
    expect(client.received).toMatch(/of \/slow$/);
    expect(client.connectionHeaders()).toEqual(["close"]);
    await drained;
  });

  test("answers all requests of one packet, and puts close on the last one only", async () => {
    await start(answer, transport);
    const client = await connectIdle();
    const { drained } = await drainable.beginDrain();
    client.get("/1", "/2", "/3");
    expect(await client.end()).toBe("fin");
    expect(client.received).toMatch(/of \/1HTTP[^]*of \/2HTTP[^]*of \/3$/);
    expect(client.connectionHeaders()).toEqual(["keep-alive", "keep-alive", "close"]);
    await drained;
  });

  test("answers all pipelined requests in flight, and puts close on the last one only", async () => {
    const { listener, came, release } = held();
    await start(listener, transport);
    const client = await connect();
    client.get("/1", "/2", "/3");
    await within(came.opened, "the requests");
    const { drained } = await drainable.beginDrain();
    release.open();
    expect(await client.end()).toBe("fin");
    expect(client.connectionHeaders()).toEqual(["keep-alive", "keep-alive", "close"]);
    expect(client.received).toMatch(/of \/1HTTP[^]*of \/2HTTP[^]*of \/3$/);
    await drained;
  });

  test("leaves idle connections open for the grace of a stop, then ends them in order", async () => {
    await start(answer, transport);
    const idle = await connectIdle();
    const silent = await connect();
    const busy = await connectIdle();
    const { drained } = await drainable.beginDrain({ idleGraceMs: 500 });
    drainable.clock.advance(499);
    await turns();
    busy.get("/late");
    expect(await busy.end()).toBe("fin");
    expect(busy.connectionHeaders()).toEqual(["close"]);
    await turns();
    expect(drainable.connections.count).toBe(2);
    drainable.clock.advance(1);
    expect(await idle.end()).toBe("fin");
    expect(await silent.end()).toBe("fin");
    expect(idle.received + silent.received).toBe("");
    await drained;
  });

  test("leaves idle connections open until their next request when it is replaced", async () => {
    await start(answer, transport);
    const client = await connectIdle();
    const { drained } = await drainable.beginDrain({ mode: "replaced", idleGraceMs: 500, keepAliveTimeoutMs: 5000 });
    drainable.clock.advance(5999);
    await turns();
    client.get("/next");
    expect(await client.end()).toBe("fin");
    expect(client.connectionHeaders()).toEqual(["close"]);
    await drained;
  });
});

test.each<[string, Listener]>([
  ["setHeader", (_, response) => void response.setHeader("connection", "keep-alive").end("ok")],
  ["writeHead with an object", (_, response) => void response.writeHead(200, { connection: "keep-alive" }).end("ok")],
  [
    "writeHead with a message and an object",
    (_, response) => void response.writeHead(200, "Fine", { Connection: "keep-alive", "x-own": "1" }).end("ok"),
  ],
  ["writeHead with a list", (_, response) => void response.writeHead(200, ["Connection", "keep-alive"]).end("ok")],
  [
    "writeHead with a list of pairs",
    (_, response) => {
      const pairs = [["Connection", "keep-alive"]] as unknown as string[];
      response.writeHead(200, pairs).end("ok");
    },
  ],
  [
    "both",
    (_, response) => void response.setHeader("x-own", "1").writeHead(200, { Connection: "keep-alive" }).end("ok"),
  ],
  ["a header that was taken away", (_, response) => (response.removeHeader("connection"), void response.end("ok"))],
  ["flushHeaders", (_, response) => (response.flushHeaders(), void response.end("ok"))],
])("says close whatever the handler says of the connection: %s", async (_, listener) => {
  await start(listener);
  const client = await connect();
  const { drained } = await drainable.beginDrain();
  client.get("/");
  expect(await client.end()).toBe("fin");
  expect(client.heads()).toHaveLength(1);
  expect(client.connectionHeaders()).toEqual(["close"]);
  expect(client.heads()[0]?.match(/connection:/gi)).toHaveLength(1);
  await drained;
});

test.each(["express", "fastify"])("says close in answers of %s, which exchange or wrap the response", async (name) => {
  drainable = new DrainableServer(name === "express" ? http.createServer(expressApp()) : await fastifyServer());
  await drainable.listen();
  const client = await connect();
  const { drained } = await drainable.beginDrain();
  client.get("/1", "/2");
  expect(await client.end()).toBe("fin");
  expect(client.received).toMatch(/"path":"\/1"}HTTP[^]*"path":"\/2"}$/);
  expect(client.connectionHeaders()).toEqual(["keep-alive", "close"]);
  await drained;
});

function expressApp(): express.Express {
  const app = express();
  return app.use((request, response) => void response.json({ path: request.path }));
}

async function fastifyServer(): Promise<http.Server> {
  const app = fastify();
  app.get("/*", (request) => ({ path: request.url }));
  await app.ready();
  return app.server;
}

test("takes close back from an answer that waits behind another one when a further request comes", async () => {
  const { listener, came, release } = held();
  const fourth = new Gate();
  await start((request, response) => {
    if (request.url === "/3") answer(request, response);
    else listener(request, response);
    if (request.url === "/4") fourth.open();
  });
  const client = await connect();
  const { drained } = await drainable.beginDrain();
  client.get("/1", "/2", "/3");
  await within(came.opened, "the requests");
  await turns();
  client.get("/4");
  await within(fourth.opened, "the fourth request");
  release.open();
  expect(await client.end()).toBe("fin");
  expect(client.received).toMatch(/of \/1HTTP[^]*of \/2HTTP[^]*of \/3HTTP[^]*of \/4$/);
  expect(client.connectionHeaders()).toEqual(["keep-alive", "keep-alive", "keep-alive", "close"]);
  await drained;
});

test("takes close back from a head that is made and not sent", async () => {
  const release = new Gate();
  const came = new Gate();
  await start((request, response) => {
    response.writeHead(200, { "content-length": `of ${request.url}`.length });
    came.open();
    void release.opened.then(() => response.end(`of ${request.url}`));
  });
  const client = await connect();
  const { drained } = await drainable.beginDrain();
  client.get("/1");
  await within(came.opened, "the request");
  await turns();
  client.get("/2");
  await turns();
  release.open();
  expect(await client.end()).toBe("fin");
  expect(client.connectionHeaders()).toEqual(["keep-alive", "close"]);
  expect(client.received).toMatch(/of \/1HTTP[^]*of \/2$/);
  await drained;
});

test("does not hand the app a request that comes after close was sent, and reads it all the same", async () => {
  const seen: (string | undefined)[] = [];
  await start((request, response) => {
    seen.push(request.url);
    answer(request, response);
  });
  const client = await connect(true);
  const { drained } = await drainable.beginDrain();
  client.get("/1");
  expect(await client.end()).toBe("fin");
  client.send(`POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n${"x".repeat(1_000_000)}`);
  client.socket.end();
  expect(await within(once(client.socket, "close"), "the client's end")).toEqual([false]);
  expect(seen).toEqual(["/1"]);
  expect(drainable.connections.requests).toBe(0);
  await drained;
});

test("reads on after an early answer, so that no reset overtakes it", async () => {
  await start((_, response) => void response.writeHead(413, { "content-length": 9 }).end("too large"));
  const client = await connect();
  const { drained } = await drainable.beginDrain();
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n");
  await client.until(/too large$/);
  client.send("x".repeat(3_000_000));
  expect(await client.end()).toBe("fin");
  await drained;
});

test("destroys a connection that the client does not close within a second of its last answer", async () => {
  await start(answer);
  const client = await connect(true);
  const { drained } = await drainable.beginDrain();
  client.get("/");
  expect(await client.end()).toBe("fin");
  await turns();
  drainable.clock.advance(999);
  await turns();
  expect(drainable.connections.count).toBe(1);
  drainable.clock.advance(1);
  await drained;
});

test.each(["stop", "replaced"] as const)(
  "an answer begun before the drain ends, and its connection is idle then: %s",
  async (mode) => {
    const came = new Gate<ServerResponse>();
    await start((request, response) => {
      if (request.url !== "/events") return answer(request, response);
      response.write("data: 1\n\n");
      came.open(response);
    });
    const client = await connect();
    client.get("/events");
    const response = await within(came.opened, "the request");
    await client.until(/data: 1/);
    const { drained } = await drainable.beginDrain({ mode });
    drainable.clock.advance(20_000);
    await turns();
    response.end("data: 2\n\n");
    await client.until(/data: 2[^]*\r\n0\r\n\r\n$/);
    await turns();
    drainable.clock.advance(499);
    await turns();
    client.get("/next");
    expect(await client.end()).toBe("fin");
    expect(client.received).toMatch(/of \/next$/);
    expect(client.connectionHeaders()).toEqual(["keep-alive", "close"]);
    await drained;
  },
);

test("ends an idle connection when the keep-alive timeout is over, also one that never sent anything", async () => {
  await start(answer);
  const idle = await connectIdle();
  const silent = await connect();
  const { drained } = await drainable.beginDrain({ mode: "replaced", keepAliveTimeoutMs: 5000 });
  drainable.clock.advance(5999);
  await turns();
  expect(drainable.connections.count).toBe(2);
  drainable.clock.advance(1);
  expect(await idle.end()).toBe("fin");
  expect(await silent.end()).toBe("fin");
  await drained;
});

test("gives a head that is half sent when the grace ends one more second", async () => {
  await start(answer);
  const inTime = await connectIdle();
  const tooLate = await connectIdle();
  const { drained } = await drainable.beginDrain();
  inTime.send("GET /half HTTP/1.1\r\n");
  tooLate.send("GET /half HTTP/1.1\r\n");
  await turns();
  drainable.clock.advance(500);
  await turns();
  drainable.clock.advance(999);
  await turns();
  inTime.send("Host: x\r\n\r\n");
  expect(await inTime.end()).toBe("fin");
  expect(inTime.received).toMatch(/of \/half$/);
  await turns();
  expect(drainable.connections.count).toBe(1);
  drainable.clock.advance(1);
  expect(await tooLate.end()).toBe("fin");
  expect(tooLate.received).toBe("");
  await drained;
});

test("a head that goes on coming has five seconds more, and no longer", async () => {
  await start(answer);
  const slow = await connectIdle();
  const endless = await connectIdle();
  const { drained } = await drainable.beginDrain();
  slow.send("GET /slow HTTP/1.1\r\n");
  endless.send("GET /endless HTTP/1.1\r\n");
  await turns();
  drainable.clock.advance(500);
  for (let second = 1; second <= 4; second++) {
    await turns();
    slow.send(`X-${second}: y\r\n`);
    endless.send(`X-${second}: y\r\n`);
    await turns();
    drainable.clock.advance(1000);
  }
  await turns();
  slow.send("Host: x\r\n\r\n");
  endless.send("X-5: y\r\n");
  expect(await slow.end()).toBe("fin");
  expect(slow.received).toMatch(/of \/slow$/);
  await turns();
  drainable.clock.advance(1000);
  expect(await endless.end()).toBe("fin");
  expect(endless.received).toBe("");
  await drained;
});

test("a request that comes during the grace has all the time it needs", async () => {
  const { listener, came, release } = held();
  await start(listener);
  const client = await connectIdle();
  const { drained } = await drainable.beginDrain();
  drainable.clock.advance(400);
  client.get("/slow");
  await within(came.opened, "the request");
  drainable.clock.advance(100);
  await turns();
  drainable.clock.advance(1000);
  await turns();
  release.open();
  expect(await client.end()).toBe("fin");
  expect(client.received).toMatch(/of \/slow$/);
  await drained;
});

test("a request that had arrived when the grace ended is read, and has all the time it needs", async () => {
  const { listener, came, release } = held();
  await start(listener);
  const client = await connectIdle();
  const { drained } = await drainable.beginDrain();
  client.get("/just-now");
  // No turn of the loop since: the bytes are in the kernel, and the server has not read them.
  await new Promise<void>((resolve) => process.nextTick(resolve));
  drainable.clock.advance(500);
  await within(came.opened, "the request");
  await turns();
  drainable.clock.advance(1000);
  await turns();
  release.open();
  expect(await client.end()).toBe("fin");
  expect(client.received).toMatch(/of \/just-now$/);
  await drained;
});

test("does not hand the app a request that comes after the connection was ended", async () => {
  let seen = 0;
  await start((request, response) => {
    seen++;
    answer(request, response);
  });
  const client = await connect(true);
  const { drained } = await drainable.beginDrain();
  drainable.clock.advance(500);
  expect(await client.end()).toBe("fin");
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  client.socket.end();
  await drained;
  expect(seen).toBe(0);
});

test("a slow upload is a request in flight: it has all the time it needs", async () => {
  await start((request, response) => {
    let length = 0;
    request.on("data", (chunk: Buffer) => (length += chunk.length));
    request.on("end", () => response.end(`got ${length}`));
  });
  const client = await connect();
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n0123456789");
  await turns();
  const { drained } = await drainable.beginDrain();
  drainable.clock.advance(20_000);
  await turns();
  client.send("0123456789");
  expect(await client.end()).toBe("fin");
  expect(client.received).toMatch(/got 20$/);
  expect(client.connectionHeaders()).toEqual(["close"]);
  await drained;
});

test("a request with Expect: 100-continue is answered, also by an app that decides about it itself", async () => {
  await start((request, response) => void request.resume().on("end", () => response.end(`of ${request.url}`)));
  drainable.server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
    response.writeContinue();
    drainable.server.emit("request", request, response);
  });
  const client = await connect();
  const { drained } = await drainable.beginDrain();
  client.send("POST /big HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  await client.until(/100 Continue/);
  expect(drainable.connections.requests).toBe(1);
  client.send("abc");
  expect(await client.end()).toBe("fin");
  expect(client.received).toMatch(/of \/big$/);
  expect(drainable.connections.totalRequests).toBe(1);
  await drained;
});

test("serves what the kernel had completed before a stop", async () => {
  await start(answer);
  // From here on in the poll phase, as an order that comes by IPC is: the turn's immediates follow without another poll.
  await stat(".");
  const waiting = Array.from({ length: 50 }, () => RawClient.begin(drainable.target));
  clients.push(...waiting);
  for (const client of waiting) client.get("/");
  // The connect calls are made at the end of this tick, and on the loopback they are complete at once; nothing is accepted yet.
  await new Promise<void>((resolve) => process.nextTick(() => process.nextTick(resolve)));
  expect(drainable.connections.totalConnections).toBe(0);
  const { drained } = await drainable.beginDrain();
  await Promise.all(waiting.map((client) => client.until(/of \/$/)));
  drainable.clock.advance(500);
  expect(await Promise.all(waiting.map((client) => client.end()))).toEqual(waiting.map(() => "fin"));
  await drained;
});

test("accepts for at most a second on a stop, however many connections come", async () => {
  await start(answer);
  const { clock, target } = drainable;
  let more = true;
  const connectEachTurn = (): void => {
    if (!more) return;
    const client = RawClient.begin(target);
    client.socket.on("error", () => {});
    clients.push(client);
    clock.advance(50);
    setImmediate(connectEachTurn);
  };
  connectEachTurn();
  const { drained } = await drainable.beginDrain();
  more = false;
  expect(clock.now()).toBeGreaterThanOrEqual(1000);
  expect(clock.now()).toBeLessThan(1200);
  drainable.connections.destroyAll();
  await drained;
});

test("stops accepting at once when it is replaced: others accept", async () => {
  await start(answer);
  const waiting = RawClient.begin(drainable.target);
  clients.push(waiting);
  await new Promise<void>((resolve) => process.nextTick(() => process.nextTick(resolve)));
  const accepted = drainable.connections.totalConnections;
  const { drained } = await drainable.beginDrain({ mode: "replaced" });
  expect(accepted).toBe(0);
  expect(drainable.turnsToStop).toBe(1);
  drainable.connections.destroyAll();
  await drained;
});

test("goes on as if nothing was during the drain delay", async () => {
  await start(answer);
  const drained = drainable.drain({ drainDelayMs: 3000 });
  await turns();
  drainable.clock.advance(2999);
  await turns();
  const client = await connect();
  client.get("/1");
  await client.until(/of \/1$/);
  expect(client.connectionHeaders()).toEqual(["keep-alive"]);
  drainable.clock.advance(1);
  await turns();
  expect(drainable.accepting).toBe(false);
  client.get("/2");
  expect(await client.end()).toBe("fin");
  expect(client.connectionHeaders()).toEqual(["keep-alive", "close"]);
  await within(drained, "the drain");
});

test("a connection in the middle of its TLS handshake gets the grace, and no more", async () => {
  await start(answer, "https");
  const client = await RawClient.connect({ port: drainable.port, host: "127.0.0.1" });
  clients.push(client);
  const idle = await connectIdle();
  const { drained } = await drainable.beginDrain();
  drainable.clock.advance(499);
  await turns();
  expect(drainable.connections.count).toBe(2);
  drainable.clock.advance(1);
  expect(await idle.end()).toBe("fin");
  expect(["fin", "ECONNRESET"]).toContain(await client.end());
  await drained;
});

test("names what is open without its query, and ends it when told", async () => {
  const { listener, came } = held();
  await start(listener);
  const client = await connect();
  client.send("PUT /orders/7?token=secret HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  await within(came.opened, "the request");
  const { drained } = await drainable.beginDrain();
  drainable.clock.advance(30_000);
  expect(drainable.connections.openRequests()).toEqual([{ method: "PUT", path: "/orders/7", ageMs: 30_000 }]);
  drainable.connections.destroyAll();
  await drained;
  expect(drainable.connections.openRequests()).toEqual([]);
});

test("counts connections and requests, and forgets pipelined ones whose client has gone", async () => {
  const { listener, came } = held();
  await start(listener);
  const client = await connect();
  await connectIdle();
  client.get("/1", "/2", "/3");
  await within(came.opened, "the requests");
  await turns();
  const { connections } = drainable;
  expect([connections.count, connections.totalConnections]).toEqual([2, 2]);
  expect([connections.requests, connections.totalRequests]).toEqual([3, 4]);
  client.socket.resetAndDestroy();
  while (connections.count > 1) await turns(1);
  expect(connections.requests).toBe(0);
});

test("lets go of requests that are over within a second, and keeps no timer for none", async () => {
  const { listener, came, release } = held();
  await start(listener);
  const client = await connect();
  client.get("/slow");
  await within(came.opened, "the request");
  drainable.clock.advance(1000);
  expect(drainable.clock.timers).toBe(1);
  release.open();
  await client.until(/of \/slow$/);
  await turns();
  drainable.clock.advance(1000);
  expect(drainable.clock.timers).toBe(0);
});

test("sees requests though a library has taken all listeners away", async () => {
  await start(answer);
  const listeners = drainable.server.listeners("request") as Listener[];
  drainable.server.removeAllListeners("request");
  drainable.server.on("request", (request, response) => listeners[0]?.(request, response));
  await connectIdle();
  expect(drainable.connections.totalRequests).toBe(1);
});

test("an app without an upgrade listener gets requests with Upgrade as any other", async () => {
  await start(answer);
  const client = await connect();
  client.send("GET /h2c HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
  await client.until(/of \/h2c$/);
});

test("a connection given to the server by hand is one like others", async () => {
  await start(answer);
  const gate = net.createServer((socket) => drainable.server.emit("connection", socket)).listen(0, "127.0.0.1");
  await once(gate, "listening");
  const client = await RawClient.connect({ port: (gate.address() as net.AddressInfo).port, host: "127.0.0.1" });
  clients.push(client);
  const { drained } = await drainable.beginDrain();
  client.get("/by-hand");
  expect(await client.end()).toBe("fin");
  expect(client.connectionHeaders()).toEqual(["close"]);
  await drained;
  gate.close();
});
