/**
 * The servers of a file that `choir start` runs: those that it listens with, and that of the app which it exports. They look to the
 * app as if they listened, take connections when the instance is ready, and are drained. Runs in the instance.
 */
import http from "node:http";
import type net from "node:net";
import { Server as TlsServer } from "node:tls";
import type { Connections } from "../http/connections.ts";
import { trackConnections } from "../http/connections.ts";
import { compileHeaderPolicy } from "../http/headers.ts";
import { type AppServer, applyLimits, limitsBeside } from "../http/limits.ts";
import { acceptorFor, createServer, renewTls, type ServerSettings } from "../http/server.ts";
import { shareBursts } from "../http/share-bursts.ts";
import { applyHeaderPolicy } from "../http/write-head.ts";
import type { Acceptors } from "../http/drain.ts";
import type { SocketWish } from "../protocol.ts";
import { accessLogOf, type InstanceAccessLog } from "./access.ts";
import { adopt } from "./adopt.ts";
import { ConnectionsGroup } from "./connections-group.ts";
import type { DrainedServer } from "./drain-servers.ts";
import type { InstanceRole } from "./role.ts";
import type { ListenHandle, SocketInbox } from "./socket-inbox.ts";

/** A server that takes requests, as it is drained. */
interface OwnServer extends DrainedServer {
  /** What requests come to: the app's own server, or the one that speaks TLS in front of it. */
  readonly server: AppServer;
  readonly handles: ListenHandle[];
}

/** What Node's servers have without a public name. */
interface HiddenServer {
  _handle: ListenHandle | null;
  _pipeName?: string;
  /** Node's own way to listen with a handle that it has got from elsewhere, as in a cluster's worker. */
  _listen2(address: string | null, port: number, addressType: number, backlog: number): void;
}

export class OwnServers {
  readonly connections = new ConnectionsGroup();
  readonly #role: InstanceRole;
  readonly #inbox: SocketInbox;
  readonly #servers = new Map<net.Server, OwnServer>();
  /** Servers that speak no HTTP: there is nothing to drain but their listening. */
  readonly #others: ListenHandle[] = [];
  /** The questions whose sockets a server has. */
  readonly #asks = new Map<net.Server, number[]>();
  readonly #gates: (() => void)[] = [];
  readonly #withdrawn = new Set<net.Server>();
  readonly #settings: Promise<ServerSettings>;
  /** Undefined without --access-log. */
  readonly access: Promise<InstanceAccessLog | undefined>;
  #accessLog: InstanceAccessLog | undefined;
  #isOpen = false;
  #isDraining = false;
  #isClosed = false;

  /** `settings` say how requests are to be taken, by the options. */
  constructor(role: InstanceRole, inbox: SocketInbox, settings: Promise<ServerSettings>) {
    this.#role = role;
    this.#inbox = inbox;
    this.#settings = settings;
    this.access = accessLogOf(role).then((log) => (this.#accessLog = log));
    void role.lifecycle.drainOrdered.then(() => (this.#isDraining = true));
  }

  /** Those that take requests, in the order in which they listened. */
  get all(): readonly OwnServer[] {
    return [...this.#servers.values()];
  }

  /** Has a server listen on what it wishes for, as far as it can tell; rejects with a Refusal. */
  async listen(server: net.Server, wish: SocketWish, file?: string): Promise<void> {
    const [settings] = await Promise.all([this.#settings, this.access]);
    const sockets = await this.#inbox.ask(wish, schemeOf(server, settings));
    const handles = sockets.map(({ handle }) => handle);
    const asks = [...new Set(sockets.map(({ ask }) => ask))];
    if (this.#isClosed || this.#withdrawn.delete(server)) {
      for (const handle of handles) handle.close();
      for (const ask of asks) this.#inbox.release(ask);
      return;
    }
    this.#asks.set(server, asks);
    if (isHttp(server)) this.#manage(server, settings).handles.push(...handles);
    else this.#others.push(...handles);
    this.#attachAll(server, handles, file);
  }

  /** Something listens, as far as the app can tell. */
  get isServing(): boolean {
    return [...this.#others, ...this.all.flatMap(({ handles }) => handles)].some(isOpen);
  }

  /** A server listens on something of its own: it takes connections at once, and is drained like the others. */
  listenAlone(server: net.Server): void {
    if (server.listening) return;
    const own = isHttp(server) ? (this.#servers.get(server) ?? this.#track(server, server)) : undefined;
    server.once("listening", () => {
      const { _handle: handle } = server as unknown as HiddenServer;
      if (handle !== null) (own?.handles ?? this.#others).push(handle);
    });
  }

  /** The app has closed a server that waits for its socket. */
  withdraw(server: net.Server): void {
    this.#withdrawn.add(server);
  }

  /** The app has closed a server: a socket that nobody wants any more is given back, or clients would wait there. */
  closed(server: net.Server): void {
    const asks = this.#asks.get(server) ?? [];
    this.#asks.delete(server);
    // Draining it closes too, and its successor has the same socket.
    if (!this.#isDraining) for (const ask of asks) this.#inbox.release(ask);
  }

  /** Takes in the server of an app that the file exports; headers and limits are applied already. */
  async admit(server: AppServer): Promise<void> {
    const [{ tls }] = await Promise.all([this.#settings, this.access]);
    if (tls !== undefined) this.#role.tls.onChange(tls.material, (next) => renewTls(server, next));
    this.#track(server, server);
    await this.listen(server, { kind: "default" });
  }

  /** For a Runner program, which does all the rest itself. */
  async listenDefault(server: net.Server): Promise<Acceptors> {
    const sockets = await this.#inbox.ask({ kind: "default" }, "http");
    const handles = sockets.map(({ handle }) => handle);
    this.#attachAll(server, handles);
    this.open();
    const stop = (): void => {
      for (const handle of handles) handle.close();
    };
    return { stop };
  }

  /** Has everything that listens take connections, now and from now on. */
  open(): void {
    this.#isOpen = true;
    for (const open of this.#gates.splice(0)) open();
  }

  /** Ends what was never opened, or accepts without being drained. */
  close(): void {
    this.#isClosed = true;
    for (const handle of this.#others) handle.close();
    for (const { handles } of this.all) for (const handle of handles) handle.close();
  }

  #attachAll(server: net.Server, [first, ...others]: readonly ListenHandle[], file?: string): void {
    if (first === undefined) return;
    for (const handle of others) {
      const acceptor = acceptorFor(server);
      acceptor.on("error", (error) => server.emit("error", error));
      this.#attach(acceptor, handle);
      server.once("close", () => handle.close());
    }
    this.#attach(server, first, file);
  }

  #manage(server: AppServer, settings: ServerSettings): OwnServer {
    const known = this.#servers.get(server);
    if (known !== undefined) return known;
    const { birth } = this.#role;
    const front =
      settings.tls !== undefined && server instanceof http.Server ? this.#frontOf(server, settings) : server;
    applyLimits(front, limitsBeside(server, settings.limits));
    applyHeaderPolicy(front, compileHeaderPolicy(birth.headers));
    return this.#track(server, front);
  }

  /** A server that speaks TLS before the app's own, which accepts for it. */
  #frontOf(own: http.Server, settings: ServerSettings): AppServer {
    const { tls, lifecycle } = this.#role;
    if (settings.tls === undefined) return own;
    if (settings.tls.http2) lifecycle.http1Only("An http.Server of the app's own");
    const front = createServer({ ...settings, tls: { ...settings.tls, http2: false } });
    tls.onChange(settings.tls.material, (next) => renewTls(front, next));
    adopt(own, front);
    own.removeAllListeners("connection");
    own.on("connection", (socket) => front.emit("connection", socket));
    return front;
  }

  #track(own: net.Server, server: AppServer): OwnServer {
    this.#accessLog?.open(server);
    this.#role.zones?.open(server);
    const connections: Connections = trackConnections(server);
    if (this.#role.birth.info.concurrency > 1) shareBursts(server);
    this.connections.add(connections);
    const handles: ListenHandle[] = [];
    const stop = (): void => {
      // The handle alone: the app's own `close()` finds its server listening, and ends well.
      for (const handle of handles) handle.close();
    };
    const tracked = { server, connections, acceptors: { stop }, handles };
    this.#servers.set(own, tracked);
    return tracked;
  }

  /** Gives a server a handle that pretends to listen until the instance is ready: listening means taking traffic. */
  #attach(server: net.Server, handle: ListenHandle, file?: string): void {
    const { birth, lifecycle } = this.#role;
    const listen = handle.listen.bind(handle);
    handle.listen = () => {
      const open = (): void => {
        // One that the app has closed before: it only tried whether it could listen.
        if (birth.module?.isPrivate || !isOpen(handle)) return;
        // Every listen on a shared socket sets its backlog anew.
        const status = listen(birth.options.backlog);
        if (status !== 0) lifecycle.fail(listenError(status, server));
      };
      if (this.#isOpen) open();
      else this.#gates.push(open);
      return 0;
    };
    const hidden = server as unknown as HiddenServer;
    if (file !== undefined) hidden._pipeName = file;
    hidden._handle = handle;
    hidden._listen2(null, -1, -1, birth.options.backlog);
  }
}

/** Only servers that speak HTTP have a timeout. */
function isHttp(server: net.Server): server is AppServer {
  return typeof (server as Partial<http.Server>).setTimeout === "function";
}

/** libuv knows no descriptor of a handle that was closed. */
function isOpen(handle: ListenHandle): boolean {
  return handle.fd >= 0;
}

function schemeOf(server: net.Server, settings: ServerSettings): string {
  if (!isHttp(server)) return "tcp";
  return server instanceof TlsServer || settings.tls !== undefined ? "https" : "http";
}

function listenError(status: number, server: net.Server): Error {
  return Object.assign(new Error(`The socket could not be listened on (${status})`), {
    errno: status,
    address: server.address(),
  });
}
