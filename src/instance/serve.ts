/**
 * The instance's life from `run()` to its last line: makes the app, listens, waits for the order to drain, drains, runs the
 * shutdown hooks. Loaded by src/runner.ts, in an instance only.
 */
import { systemClock } from "../clock.ts";
import { type Connections, trackConnections } from "../http/connections.ts";
import { drainServer } from "../http/drain.ts";
import { type Acceptors, listenOn, renewTls, type ServerSettings } from "../http/server.ts";
import type { DrainReason, InheritedListener } from "../protocol.ts";
import { hookList, type RunnerExtras, type RunnerOptions, splitOptions } from "../runner-options.ts";
import { ChoirError } from "../errors.ts";
import { prepareApp, type PreparedApp } from "./prepare.ts";
import type { InstanceRole } from "./role.ts";

/** How long code after `run()` and handles that the app left open may keep the process, in milliseconds. */
const PATIENCE_MS = 1000;

/** What the user's file gave to the Runner. */
export interface Definition {
  readonly configureServer: unknown;
  readonly options: RunnerOptions;
}

/** Serves until the instance has drained; an app that cannot start ends the process with the reason sent to the supervisor. */
export async function serveInstance(role: InstanceRole, definition: Definition): Promise<void> {
  const { lifecycle, hooks } = role;
  const { extras } = splitOptions(definition.options);
  // Registered first: they run last, when those that the app registered in configureServer have run.
  for (const hook of hookList(extras.hooks?.shutdown)) hooks.add(hook);
  const serving = await startUnlessStopped(role, () => start(role, definition.configureServer, extras));
  if (serving !== undefined) {
    lifecycle.ready();
    await drain(role, serving, await lifecycle.drainOrdered);
    await serving.prepared
      .close()
      .catch((error: unknown) => role.services.logger.error({ err: error }, "Closing the app failed"));
  }
  await hooks.run();
  lifecycle.leave(PATIENCE_MS);
}

interface Serving {
  readonly prepared: PreparedApp;
  readonly connections: Connections;
  readonly acceptors: Acceptors;
}

/** Undefined when the order to drain came first: a start that nobody waits for any more. */
async function startUnlessStopped(role: InstanceRole, start: () => Promise<Serving>): Promise<Serving | undefined> {
  try {
    return await Promise.race([start(), role.lifecycle.drainOrdered.then(() => undefined)]);
  } catch (error) {
    role.lifecycle.fail(error);
    // The process ends as soon as the reason has left it; user code after run() must not run.
    return new Promise(() => {});
  }
}

async function start(role: InstanceRole, configureServer: unknown, extras: RunnerExtras): Promise<Serving> {
  const { birth, lifecycle, services } = role;
  const settings = await serverSettings(role);
  const prepared = await prepareApp(services, { configureServer, extras, settings });
  if (prepared.http1Only !== undefined) lifecycle.http1Only(prepared.http1Only);
  if (settings.tls !== undefined) role.tls.onChange(settings.tls.material, (next) => renewTls(prepared.server, next));
  const connections = trackConnections(prepared.server);
  for (const hook of hookList(extras.hooks?.startup)) await hook();
  if (birth.options.ready === "manual") await lifecycle.markedReady;
  const acceptors = await listenOn(prepared.server, birth.listeners, birth.options.backlog).catch((error: unknown) => {
    throw listenError(error, birth.listeners);
  });
  return { prepared, connections, acceptors };
}

/** How requests are taken, by the options; what TLS is served with comes from the supervisor. */
async function serverSettings({ birth: { options }, tls }: InstanceRole): Promise<ServerSettings> {
  const { ssl, http2, keepAliveTimeout, requestTimeout, headersTimeout, maxRequestsPerSocket, maxHeaderSize } = options;
  return {
    limits: { keepAliveTimeout, requestTimeout, headersTimeout, maxRequestsPerSocket, maxHeaderSize },
    tls: ssl || http2 ? { material: await tls.first, http2 } : undefined,
  };
}

/** Two supervisors may both have bound an address; who listens first has it. An EADDRINUSE of the app's own is another matter. */
function listenError(error: unknown, listeners: readonly InheritedListener[]): unknown {
  if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") return error;
  const addresses = listeners.map(({ address }) => address).join(" or ");
  return new ChoirError(
    "ERR_CHOIR_ADDRESS_IN_USE",
    `Another process began to listen on ${addresses} at the same time`,
    { cause: error },
  );
}

async function drain(role: InstanceRole, serving: Serving, reason: DrainReason): Promise<void> {
  const { shutdownTimeout, idleGrace } = role.birth.options;
  // Shortly before the supervisor kills: what is still open then is what its log is going to name.
  const report = systemClock.after(Math.max(shutdownTimeout * 0.9, shutdownTimeout - 500), () => {
    role.lifecycle.reportOpen(serving.connections.openRequests());
  });
  await drainServer(serving.connections, {
    mode: reason,
    acceptors: serving.acceptors,
    idleGraceMs: idleGrace,
    keepAliveTimeoutMs: serving.prepared.server.keepAliveTimeout,
    drainDelayMs: 0,
    closeSpreadMs: 10_000,
    clock: systemClock,
  });
  report.cancel();
}
