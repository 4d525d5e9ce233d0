/**
 * The life of an instance whose file need not know of Choir: the file runs as node's main module, and what it exports or listens with
 * is served, drained and ended. Loaded by src/instance/main.ts, for `choir start` and `choir check` only.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { systemClock } from "../clock.ts";
import { type ChoirError, describeThrown } from "../errors.ts";
import type { ModuleBirth } from "../protocol.ts";
import { drainServers } from "./drain-servers.ts";
import { type ExportedApp, exportNames, findExportedApp, nothingToServe } from "./exports.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { patchListen, type ListenPatch } from "./listen-patch.ts";
import { loadError } from "./load-error.ts";
import { OwnServers } from "./own-servers.ts";
import { hearReady, keepOwnSignals, type OwnSignals } from "./own-signals.ts";
import { scanSource, type Source } from "./scan-source.ts";
import { findSyntaxError } from "./syntax-place.ts";
import { prepareApp } from "./prepare.ts";
import { reportRequired } from "./report-required.ts";
import { type InstanceRole, isProcessClaimed } from "./role.ts";
import { PATIENCE_MS, serverSettings, untilAnswering, untilFailed, untilStopped } from "./serve.ts";
import { refusalError } from "./refusals.ts";
import { Refusal, SocketInbox } from "./socket-inbox.ts";
import { watchWorkers } from "./worker-listen.ts";

/** What is left of --shutdown-timeout when a file's own end is over, in milliseconds. */
const RESERVE_MS = 500;

/** Prepares the process for a file that is about to run as its main module; everything else follows by itself. */
export function enterModule(role: InstanceRole, module: ModuleBirth): OwnServers {
  const inbox = new SocketInbox();
  const servers: OwnServers = new OwnServers(role, inbox, serverSettings(role));
  const refused = new WeakMap<object, ChoirError>();
  let lastRefused: ChoirError | undefined;
  const patch = patchListen(servers, (thrown, error) => {
    refused.set(thrown, error);
    lastRefused = error;
  });
  // Many programs say on their own that an address is in use, and end.
  process.once("exit", (code) => {
    if (code === 0 || lastRefused === undefined || role.lifecycle.hasBeenReady || servers.isServing) return;
    role.lifecycle.fail(lastRefused);
  });
  const signals = keepOwnSignals();
  hearReady(() => role.lifecycle.markReady());
  role.lifecycle.explain = (thrown) =>
    refusalOf(thrown, refused) ??
    loadError(thrown, {
      file: shownFile(module),
      findSyntaxError: () => findSyntaxError(module.entry),
    });
  // A file that neither listens nor exports an app ends its loop: with the channel held it would be waited for.
  process.channel?.unref();
  const life = new OwnModule(role, module, { servers, patch, signals, listensInWorker: watchWorkers() });
  // When this preload is done, node loads the file: a turn later it is on its way, and imported again it is the same module.
  setImmediate(() => void life.run());
  return servers;
}

interface Parts {
  readonly servers: OwnServers;
  readonly patch: ListenPatch;
  readonly signals: OwnSignals;
  readonly listensInWorker: () => boolean;
}

/** What is to be served. */
type Decision =
  | { readonly kind: "listens" }
  | { readonly kind: "exports"; readonly app: ExportedApp }
  /** A Runner program, which serves itself. */
  | { readonly kind: "runner" };

class OwnModule {
  readonly #role: InstanceRole;
  readonly #module: ModuleBirth;
  readonly #parts: Parts;
  #isDecided = false;

  constructor(role: InstanceRole, module: ModuleBirth, parts: Parts) {
    this.#role = role;
    this.#module = module;
    this.#parts = parts;
  }

  async run(): Promise<void> {
    const { hooks, lifecycle } = this.#role;
    const { servers, signals } = this.#parts;
    const started = await untilStopped(this.#role, this.#start());
    if (started?.kind === "runner") return;
    const reason = await lifecycle.drainOrdered;
    const orderedAt = systemClock.now();
    if (started !== undefined) {
      const openRequests = () => servers.connections.openRequests();
      await drainServers(this.#role, servers.all, { reason, openRequests });
      this.#role.messages()?.abandonLocks();
      await untilFailed(this.#role, started.close());
      // What was answered while it drained is to be counted too.
      started.lastHeartbeat();
    }
    servers.close();
    await hooks.run();
    // What the file's own handlers do may take the rest of the time that the supervisor gives.
    const rest = this.#role.birth.options.shutdownTimeout - RESERVE_MS - (systemClock.now() - orderedAt);
    lifecycle.leave(signals.run() ? Math.max(PATIENCE_MS, rest) : PATIENCE_MS);
  }

  /** All that comes before the instance takes traffic, and saying that it does. */
  async #start(): Promise<Started> {
    const { lifecycle, uncaught } = this.#role;
    const { servers, patch } = this.#parts;
    const decision = await this.#decide();
    this.#isDecided = true;
    if (decision.kind === "runner") return { kind: "runner" };
    process.channel?.ref();
    uncaught.serving(servers.connections);
    const close = decision.kind === "exports" ? await this.#serveExport(decision.app) : async () => {};
    // Several calls of listen() in a row are all answered before any of them takes traffic.
    if (decision.kind === "listens") await patch.settled(() => servers.isServing);
    if (this.#isReadyManual()) await lifecycle.markedReady;
    const [first] = servers.all;
    if (first !== undefined) await untilAnswering(this.#role, first.server);
    this.#role.letYoungGenerationGrow();
    lifecycle.explain = (thrown) => thrown;
    servers.open();
    lifecycle.ready();
    const { heartbeatInterval } = this.#role.birth.options;
    lifecycle.onLetGo((count) => servers.connections.letGo(count));
    const lastHeartbeat = startHeartbeat({
      intervalMs: heartbeatInterval,
      connections: servers.connections,
      send: (beat, sent) => lifecycle.beat(beat, sent),
      clock: systemClock,
    });
    process.once("exit", lastHeartbeat);
    return { kind: "serving", close, lastHeartbeat };
  }

  /** Finds out what to serve: what the file listens with, else what it exports. */
  #decide(): Promise<Decision> {
    const { patch } = this.#parts;
    const { serve } = this.#module;
    const loaded = import(pathToFileURL(this.#module.entry).href) as Promise<object>;
    if (this.#module.isWatched) loaded.then(() => reportRequired(), reportRequired);
    const decisions: Promise<Decision>[] = [
      loaded.then((exports) => this.#decideLoaded(exports)),
      this.#loopEnd(loaded),
    ];
    // While the file is being loaded it may listen, and wait for that before it goes on.
    if (serve !== "exports") decisions.push(patch.called.then(() => ({ kind: "listens" })));
    return Promise.race(decisions);
  }

  /** The file has run to its end. */
  async #decideLoaded(exports: object): Promise<Decision> {
    const { patch } = this.#parts;
    const { serve } = this.#module;
    if (isProcessClaimed()) return { kind: "runner" };
    const listens = patch.wasCalled && serve !== "exports";
    const app = serve === "listen" || listens ? undefined : this.#exportedApp(exports);
    // Else the end of the loop decides, should listen() never be called.
    if (app === undefined) return new Promise(() => {});
    const { name } = app.value as { readonly name?: string };
    const runsAlready = app.kind === "factory" && this.#source().calls(name ?? "");
    const mayListen = app.kind === "factory" ? runsAlready : this.#source().listens;
    if (serve === "exports" || !mayListen) {
      return app.kind === "factory" ? this.#runFactory(app.value, patch) : { kind: "exports", app };
    }
    this.#waitForListen("The file exports an app and has a call of listen(), which is waited for");
    return new Promise(() => {});
  }

  /** What is no app may be anything else that a program exports which is going to listen. */
  #exportedApp(exports: object): ExportedApp | undefined {
    try {
      return findExportedApp(exports, shownFile(this.#module));
    } catch (error) {
      if (this.#module.serve === "exports" || !this.#source().listens) throw error;
      this.#waitForListen(`The file's call of listen() is waited for, since ${describeThrown(error)}`);
      return undefined;
    }
  }

  #waitForListen(why: string): void {
    const { logger } = this.#role.services;
    logger.info({ file: shownFile(this.#module) }, `${why}; --serve exports does not wait`);
  }

  async #runFactory(factory: () => unknown, patch: ListenPatch): Promise<Decision> {
    process.channel?.ref();
    const value = await factory();
    if (value === undefined && patch.wasCalled) return { kind: "listens" };
    return { kind: "exports", app: { kind: "app", value } };
  }

  /** Nothing holds the process any more: what it exports is served, since nobody is going to call listen(). */
  async #loopEnd(loaded: Promise<object>): Promise<Decision> {
    await new Promise<void>((resolve) => process.once("beforeExit", () => resolve()));
    // The end of the instance is one too.
    if (this.#isDecided) return new Promise(() => {});
    process.channel?.ref();
    const file = shownFile(this.#module);
    if (isProcessClaimed()) return { kind: "runner" };
    // Not even loaded: its top level waits for something that never comes.
    const exports = await Promise.race([loaded, turn()]);
    const inWorker = this.#parts.listensInWorker();
    if (exports === undefined) throw nothingToServe(file, { names: [], inWorker });
    const app = this.#module.serve === "listen" ? undefined : findExportedApp(exports, file);
    if (app === undefined) throw nothingToServe(file, { names: exportNames(exports), inWorker });
    return app.kind === "factory" ? this.#runFactory(app.value, this.#parts.patch) : { kind: "exports", app };
  }

  /** Makes a server for an app and has it listen; returns what ends the app. */
  async #serveExport({ kind, value }: ExportedApp): Promise<() => Promise<void>> {
    const { birth, services, lifecycle, zones } = this.#role;
    const app = await prepareApp(services, {
      configureServer: kind === "configure" ? value : () => value,
      extras: birth.headers ?? {},
      settings: await serverSettings(this.#role),
      zones,
      accessLog: await this.#parts.servers.access,
    });
    if (app.http1Only !== undefined) lifecycle.http1Only(app.http1Only);
    await this.#parts.servers.admit(app.server);
    return () => app.close().catch((error: unknown) => services.logger.error({ err: error }, "Closing the app failed"));
  }

  #isReadyManual(): boolean {
    if (this.#role.birth.options.ready === "manual") return true;
    return this.#module.mayDecideReady && this.#source().sendsReady;
  }

  #source(): Source {
    return scanSource(textOf(this.#module.entry));
  }
}

type Started =
  | { readonly kind: "runner" }
  | { readonly kind: "serving"; close(): Promise<void>; lastHeartbeat(): void };

function refusalOf(thrown: unknown, refused: WeakMap<object, ChoirError>): ChoirError | undefined {
  if (thrown instanceof Refusal) return refusalError(thrown.refused, undefined).ours;
  for (let error = thrown; typeof error === "object" && error !== null; error = (error as { cause?: unknown }).cause) {
    const known = refused.get(error);
    if (known !== undefined) return known;
  }
  return undefined;
}

function shownFile({ entry }: ModuleBirth): string {
  const relative = path.relative(process.cwd(), entry);
  return relative.startsWith("..") ? entry : relative;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
