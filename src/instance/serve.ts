/**
 * The instance's life from `run()` to its last line: makes the app, listens, waits for the order to drain, drains, runs the
 * shutdown hooks. Loaded by src/runner.ts, in an instance only.
 */
import { closeSync } from "node:fs";
import type { Server } from "node:net";
import { systemClock } from "../clock.ts";
import { type Connections, trackConnections } from "../http/connections.ts";
import { letGo } from "../http/let-go.ts";
import { askUntilReady } from "../http/private-request.ts";
import { type Acceptors, listenOn, renewTls, type ServerSettings } from "../http/server.ts";
import { shareBursts } from "../http/share-bursts.ts";
import type { InheritedListener, OpenRequest } from "../protocol.ts";
import { declarationOf, hookList, type RunnerExtras, type RunnerOptions, splitOptions } from "../runner-options.ts";
import { ChoirError } from "../errors.ts";
import { accessLogOf } from "./access.ts";
import { drainServers } from "./drain-servers.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { LastSteps } from "./last-steps.ts";
import { prepareApp, type PreparedApp } from "./prepare.ts";
import type { InstanceRole } from "./role.ts";

/** How long code after `run()` and handles that the app left open may keep the process, in milliseconds. */
export const PATIENCE_MS = 1000;

/** What the user's file gave to the Runner. */
export interface Definition {
  readonly name: string;
  readonly configureServer: unknown;
  readonly options: RunnerOptions;
}

/** Serves until the instance has drained; an app that cannot start ends the process with the reason sent to the supervisor. */
export async function serveInstance(role: InstanceRole, definition: Definition): Promise<void> {
  const { lifecycle, hooks } = role;
  const { extras } = splitOptions(definition.options);
  // The supervisor has not read this code: it may ask for what cannot change while the supervisor runs. That of `choir start` never does.
  if (role.birth.info.generation > 0 || role.ownServers !== undefined)
    lifecycle.declare(declarationOf(definition.name, definition.options));
  // Registered first: they run last, when those that the app registered in configureServer have run.
  for (const hook of hookList(extras.hooks?.shutdown)) hooks.add(hook);
  const prepared = await untilStopped(role, prepare(role, definition.configureServer, extras));
  if (prepared === undefined) {
    // Or who connects while the hooks run would wait in the queue for this process, which is not going to accept.
    for (const { fd } of role.birth.listeners) closeSync(fd);
  } else {
    const { app, connections } = prepared;
    const acceptors = await untilFailed(role, listen(role, app.server));
    lifecycle.ready();
    lifecycle.onLetGo((count) => letGo(connections, count, systemClock));
    const lastHeartbeat = startHeartbeat({
      intervalMs: role.birth.options.heartbeatInterval,
      connections,
      send: (beat, sent) => lifecycle.beat(beat, sent),
      clock: systemClock,
    });
    // What it counted since the last one is not lost with a process that is ended by its own code.
    process.once("exit", lastHeartbeat);
    const reason = await lifecycle.drainOrdered;
    const steps = lastSteps(role);
    const openRequests = (): readonly OpenRequest[] => connections.openRequests();
    await drainServers(role, [{ server: app.server, connections, acceptors }], { reason, openRequests });
    role.messages()?.abandonLocks();
    await steps.close(() => app.close(), role.uncaught.next());
    // What was answered while it drained is to be counted too.
    lastHeartbeat();
    await steps.hooks(() => hooks.run());
  }
  // A second call waits for the first.
  await hooks.run();
  lifecycle.leave(PATIENCE_MS);
}

/** To be called at the order to drain: the time until the kill counts from there. */
function lastSteps({ birth, services }: InstanceRole): LastSteps {
  const killedAt = systemClock.now() + birth.options.shutdownTimeout;
  return new LastSteps({ clock: systemClock, logger: () => services.logger, killedAt });
}

interface Prepared {
  readonly app: PreparedApp;
  readonly connections: Connections;
}

/** Undefined when the order to drain came first: a start that nobody waits for any more, and that must not come to listen. */
export function untilStopped<T>(role: InstanceRole, work: Promise<T>): Promise<T | undefined> {
  return untilFailed(role, Promise.race([work, role.lifecycle.drainOrdered.then(() => undefined)]));
}

/** Says why it failed and never returns then: the process ends as soon as that is said, and user code after run() must not run. */
export async function untilFailed<T>(role: InstanceRole, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    role.lifecycle.fail(error);
    return new Promise(() => {});
  }
}

/** All that comes before the instance takes traffic. */
async function prepare(role: InstanceRole, configureServer: unknown, extras: RunnerExtras): Promise<Prepared> {
  const { birth, lifecycle, services } = role;
  const settings = await serverSettings(role);
  const access = await accessLogOf(role);
  const app = await prepareApp(services, {
    configureServer,
    extras: { ...extras, ...birth.headers },
    settings,
    zones: role.zones,
    accessLog: access,
  });
  if (app.http1Only !== undefined) lifecycle.http1Only(app.http1Only);
  if (settings.tls !== undefined) role.tls.onChange(settings.tls.material, (next) => renewTls(app.server, next));
  access?.open(app.server);
  role.zones?.open(app.server);
  const connections = trackConnections(app.server);
  if (birth.info.concurrency > 1) shareBursts(app.server);
  role.uncaught.serving(connections);
  for (const hook of hookList(extras.hooks?.startup)) await hook();
  if (birth.options.ready === "manual") await lifecycle.markedReady;
  await untilAnswering(role, app.server);
  role.letYoungGenerationGrow();
  return { app, connections };
}

/** Asks --readiness-path, if there is one, until the answer is good. */
export async function untilAnswering({ birth, services }: InstanceRole, server: Server): Promise<void> {
  const { readinessPath } = birth.options;
  if (readinessPath === undefined) return;
  const note = (answer: string): void => services.logger.warn({ path: readinessPath, answer }, "Not ready yet");
  await askUntilReady(server, readinessPath, note);
}

/** From its call on connections come, so an order to drain is obeyed only after it. */
function listen({ birth, ownServers }: InstanceRole, server: Server): Promise<Acceptors> {
  // A Runner program under `choir start`.
  if (ownServers !== undefined) return ownServers.listenDefault(server);
  return listenOn(server, birth.listeners, birth.options.backlog).catch((error: unknown) => {
    throw listenError(error, birth.listeners);
  });
}

/** How requests are taken, by the options; what TLS is served with comes from the supervisor. */
export async function serverSettings({ birth: { options }, tls }: InstanceRole): Promise<ServerSettings> {
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
