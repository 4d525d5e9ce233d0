import { once } from "node:events";
import { mkdtempSync, readFileSync } from "node:fs";
import http, { type RequestListener } from "node:http";
import http2 from "node:http2";
import https from "node:https";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { trackConnections, type Connections } from "../../dist/src/http/connections.js";
import { drainServer, type DrainOptions } from "../../dist/src/http/drain.js";
import { FakeClock } from "./fake-clock.ts";
import type { Target } from "./raw-client.ts";
import { turns, within } from "./within.ts";

export type Transport = "http" | "unix" | "https" | "http1 on http2";

const pem = (extension: string): Buffer =>
  readFileSync(new URL(`../fixtures/tls/localhost.${extension}`, import.meta.url));

export const tlsFiles = { key: pem("key"), cert: pem("crt") };
const trusting = { ca: tlsFiles.cert, servername: "localhost" };

/** A server in this process whose drain a test steers with a clock of its own. */
export class DrainableServer implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly server: net.Server;
  readonly connections: Connections;
  target: Target = { port: 0 };
  accepting = true;
  /** Turns of the event loop from the order to drain to the end of accepting. */
  turnsToStop = 0;

  constructor(server: net.Server) {
    this.server = server;
    this.connections = trackConnections(server, { clock: this.clock });
  }

  static async start(transport: Transport, listener: RequestListener): Promise<DrainableServer> {
    const drainable = new DrainableServer(serverFor(transport, listener));
    const trusted = transport === "http" || transport === "unix" ? {} : { tls: trusting };
    const socket = path.join(mkdtempSync(path.join(tmpdir(), "choir-drain-")), "s");
    await drainable.listen(transport === "unix" ? { path: socket } : {}, trusted);
    return drainable;
  }

  async listen(where: { path?: string } = {}, target: Pick<Target, "tls"> = {}): Promise<this> {
    this.server.listen(where.path === undefined ? { port: 0, host: "127.0.0.1" } : { path: where.path });
    await within(once(this.server, "listening"), "listening");
    const address = this.server.address();
    if (typeof address === "string") this.target = { path: address, ...target };
    else this.target = { port: address?.port ?? 0, host: "127.0.0.1", ...target };
    return this;
  }

  get port(): number {
    return "port" in this.target ? this.target.port : 0;
  }

  drain(options: Partial<DrainOptions> = {}): Promise<void> {
    const stop = (): Promise<void> => {
      this.accepting = false;
      net.Server.prototype.close.call(this.server);
      return Promise.resolve();
    };
    return drainServer(this.connections, {
      mode: "stop",
      acceptors: { stop },
      idleGraceMs: 500,
      keepAliveTimeoutMs: 5000,
      drainDelayMs: 0,
      closeSpreadMs: 10_000,
      clock: this.clock,
      ...options,
    });
  }

  /** Begins a drain and comes back when it no longer accepts. */
  async beginDrain(options: Partial<DrainOptions> = {}): Promise<{ drained: Promise<void> }> {
    const drained = this.drain(options);
    await within(
      (async () => {
        for (; this.accepting; this.turnsToStop++) await turns(1);
      })(),
      "the end of accepting",
    );
    return { drained: within(drained, () => `the drain; ${this.connections.count} connections are open`) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.connections.destroyAll();
    if (this.accepting) net.Server.prototype.close.call(this.server);
    await within(this.connections.gone(), "all connections gone");
  }
}

function serverFor(transport: Transport, listener: RequestListener): net.Server {
  if (transport === "https") return https.createServer(tlsFiles, listener);
  if (transport !== "http1 on http2") return http.createServer(listener);
  // The compatibility API's requests are http's own for HTTP/1 clients.
  const server = http2.createSecureServer({ ...tlsFiles, allowHTTP1: true });
  return server.on("request", listener as unknown as Parameters<typeof server.on>[1]);
}
