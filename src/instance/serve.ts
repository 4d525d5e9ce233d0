/**
 * The instance's life from `run()` to its last line: makes the app, listens, waits for the order to drain, drains, runs the
 * shutdown hooks. Loaded by src/runner.ts, in an instance only.
 */
import { closeSync } from "node:fs";
import { systemClock } from "../clock.ts";
import { type Connections, trackConnections } from "../http/connections.ts";
import { drainServer } from "../http/drain.ts";
import { askUntilReady } from "../http/private-request.ts";
import { type Acceptors, listenOn } from "../http/server.ts";
import type { DrainReason, InheritedListener } from "../protocol.ts";
import { hookList, type RunnerExtras, type RunnerOptions, splitOptions } from "../runner-options.ts";
import { ChoirError } from "../errors.ts";
import { startHeartbeat } from "./heartbeat.ts";
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
  const serving = await startUnlessStopped(role, () => prepare(role, definition.configureServer, extras));
  if (serving === undefined) {
    // Or who connects while the hooks run would wait in the queue for this process, which is not going to accept.
    for (const { fd } of role.birth.listeners) closeSync(fd);
  } else {
    lifecycle.ready();
    startHeartbeat({
      intervalMs: role.birth.options.heartbeatInterval,
      connections: serving.connections,
      send: (beat, sent) => lifecycle.beat(beat, sent),
      clock: systemClock,
    });
    await drain(role, serving, await lifecycle.drainOrdered);
    await serving.prepared
      .close()
      .catch((error: unknown) => role.services.logger.error({ err: error }, "Closing the app failed"));
  }
  await hooks.run();
  lifecycle.leave(PATIENCE_MS);
}

/** An app that could listen. */
interface Startable {
  readonly prepared: PreparedApp;
  readonly connections: Connections;
}

interface Serving extends Startable {
  readonly acceptors: Acceptors;
}

/** Undefined when the order to drain came first: a start that nobody waits for any more. */
async function startUnlessStopped(role: InstanceRole, prepare: () => Promise<Startable>): Promise<Serving | undefined> {
  try {
    const startable = await Promise.race([prepare(), role.lifecycle.drainOrdered.then(() => undefined)]);
    // Not in the race: once it listens it may have taken requests, which only a drain answers.
    return startable && (await listen(role, startable));
  } catch (error) {
    role.lifecycle.fail(error);
    // The process ends as soon as the reason has left it; user code after run() must not run.
    return new Promise(() => {});
  }
}

async function prepare(role: InstanceRole, configureServer: unknown, extras: RunnerExtras): Promise<Startable> {
  const { birth, lifecycle, services } = role;
  const prepared = await prepareApp(services, { configureServer, extras, zones: role.zones });
  role.zones?.open(prepared.server);
  const connections = trackConnections(prepared.server);
  role.uncaught.serving(connections);
  for (const hook of hookList(extras.hooks?.startup)) await hook();
  if (birth.options.ready === "manual") await lifecycle.markedReady;
  const { readinessPath } = birth.options;
  if (readinessPath !== undefined) {
    const note = (answer: string): void => services.logger.warn({ path: readinessPath, answer }, "Not ready yet");
    await askUntilReady(prepared.server, readinessPath, note);
  }
  return { prepared, connections };
}

async function listen({ birth }: InstanceRole, startable: Startable): Promise<Serving> {
  const { listeners, options } = birth;
  const acceptors = await listenOn(startable.prepared.server, listeners, options.backlog).catch((error: unknown) => {
    throw listenError(error, listeners);
  });
  return { ...startable, acceptors };
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
  const { shutdownTimeout, idleGrace, drainDelay, closeSpread } = role.birth.options;
  // Shortly before the supervisor kills: what is still open then is what its log is going to name.
  const report = systemClock.after(Math.max(shutdownTimeout * 0.9, shutdownTimeout - 500), () => {
    role.lifecycle.reportOpen(serving.connections.openRequests());
  });
  const unanswered = role.uncaught.giveUpUnanswered();
  await drainServer(serving.connections, {
    mode: reason,
    acceptors: serving.acceptors,
    idleGraceMs: idleGrace,
    keepAliveTimeoutMs: serving.prepared.server.keepAliveTimeout,
    drainDelayMs: drainDelay,
    closeSpreadMs: closeSpread,
    clock: systemClock,
  });
  unanswered?.cancel();
  report.cancel();
}
