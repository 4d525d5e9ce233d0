/** Connections that stay do not pile up on one instance for ever, and moving them costs no request. */
import http from "node:http";
import http2 from "node:http2";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { type Running, startRunner, until } from "../helpers/start-runner.ts";

const fixture = (file: string): string => fileURLToPath(new URL(`../fixtures/tls/localhost.${file}`, import.meta.url));
const TLS = ["--http2", "--certificate-file", fixture("crt"), "--key-file", fixture("key")];
const EVERYTHING = fileURLToPath(new URL("../zero-loss/apps/everything.mjs", import.meta.url));
const CLIENTS = 60;

/** Whom each client asked last. */
class Clients {
  readonly pids = new Map<number, number>();
  readonly failures: unknown[] = [];
  over = false;

  heldBy(pid: number): number {
    return [...this.pids.values()].filter((each) => each === pid).length;
  }

  /** Asks on one connection, from time to time, until it is over. */
  async run(id: number, ask: () => Promise<string>): Promise<void> {
    while (!this.over) {
      await ask().then(
        (body) => this.pids.set(id, Number(body)),
        (error: unknown) => this.failures.push(error),
      );
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function http1Client(url: string): { ask: () => Promise<string>; end: () => void } {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (): Promise<string> =>
    new Promise((resolve, reject) => {
      http
        .get(`${url}/pid`, { agent }, (response) => {
          let body = "";
          response.setEncoding("utf8");
          response.on("data", (chunk: string) => (body += chunk));
          response.on("end", () => resolve(body));
        })
        .on("error", reject);
    });
  return { ask, end: () => agent.destroy() };
}

function http2Client(url: string): { ask: () => Promise<string>; end: () => void } {
  let session: http2.ClientHttp2Session | undefined;
  const once = (): Promise<string> =>
    new Promise((resolve, reject) => {
      if (session === undefined || session.closed || session.destroyed) {
        session = http2.connect(url, { rejectUnauthorized: false }).on("error", () => {});
      }
      let body = "";
      const stream = session.request({ ":path": "/pid" }).setEncoding("utf8");
      stream.on("data", (chunk: string) => (body += chunk));
      stream.on("end", () => resolve(body));
      stream.on("error", () => reject(stream));
    });
  // Refused by GOAWAY, never processed: clients send it again by themselves.
  const ask = (): Promise<string> =>
    once().catch((stream: http2.ClientHttp2Stream) => {
      if (stream.rstCode !== http2.constants.NGHTTP2_REFUSED_STREAM)
        throw new Error(`Stream ended by ${stream.rstCode}`);
      return once();
    });
  return { ask, end: () => session?.close() };
}

function openWebSockets(url: string, count: number): Promise<WebSocket[]> {
  const open = (): Promise<WebSocket> =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`${url.replace("http", "ws")}/socket`, { perMessageDeflate: false });
      socket.once("open", () => resolve(socket));
      socket.once("error", reject);
    });
  return Promise.all(Array.from({ length: count }, open));
}

async function scaleToTwo(runner: Running): Promise<number> {
  process.kill(runner.pid, "SIGTTIN");
  return (await runner.eventCount("instance-ready", 2))[1]!.pid!;
}

describe("an instance that holds far more than the others", () => {
  it.each([
    ["HTTP/1.1", http1Client, []],
    ["HTTP/2", http2Client, TLS],
  ] as const)("lets connections go, without a failed request: %s", async (_, client, args) => {
    await using runner = startRunner(EVERYTHING, { instances: 1, args: [...args] });
    const url = await runner.ready(1);
    // Open for longest: they would be the first to go.
    const sockets = args.length === 0 ? await openWebSockets(url, 3) : [];
    const clients = new Clients();
    const all = Array.from({ length: CLIENTS }, () => client(url));
    const running = all.map(({ ask }, id) => clients.run(id, ask));
    await until(() => clients.pids.size === CLIENTS, "all clients to be connected");
    const newcomer = await scaleToTwo(runner);
    await until(() => clients.heldBy(newcomer) >= 6, "connections at the newcomer");
    clients.over = true;
    await Promise.all(running);
    for (const { end } of all) end();
    expect(clients.failures).toEqual([]);
    for (const socket of sockets) expect(socket.readyState).toBe(WebSocket.OPEN);
    for (const socket of sockets) socket.terminate();
  });
});
