/**
 * The supervisor's life from resolved options to an outcome: binds, starts, waits, and leaves nothing behind.
 * Called by src/runner.ts; the only place that puts the parts of supervisor/ together.
 */
import { type Clock, systemClock } from "../clock.ts";
import { ChoirError, EXIT } from "../errors.ts";
import type { ChoirEvent } from "../events.ts";
import type { LogRouter } from "../logs/router.ts";
import { Broker } from "../messaging/broker.ts";
import { availableInstances, systemBacklog } from "../options/concurrency.ts";
import { type InstanceOptions, LIMIT_NAMES, pickOptions, type ResolvedOptions } from "../options/table.ts";
import type { TlsSources } from "../options/tls-sources.ts";
import type { StrayErrors } from "../stray-errors.ts";
import { createLauncher, type Program } from "./launcher.ts";
import { handleSignals } from "./signals.ts";
import { type BoundSocket, bindSockets } from "./sockets.ts";
import { type Outcome, Supervisor } from "./supervisor.ts";
import type { TlsKeeper } from "./tls.ts";

export interface SupervisorSetup {
  readonly name: string;
  readonly version: string;
  readonly program: Program;
  readonly options: ResolvedOptions;
  /** Set when TLS is to be served. */
  readonly tls: TlsSources | undefined;
  readonly logs: LogRouter;
  readonly strayErrors: StrayErrors;
  /** Whether the process has a controlling terminal. */
  readonly hasTerminal: boolean;
}

/** Runs until every instance is gone. Errors of binding come out as ChoirError. */
export async function runSupervisor(setup: SupervisorSetup): Promise<Outcome> {
  // Bound sockets and timers of the clock hold no process; while every slot waits for its respawn nothing else would.
  const keepAlive = setInterval(() => {}, 0x7f_ff_ff_ff);
  // First: a certificate that cannot be used must leave nothing behind.
  const tls = await openTls(setup);
  const sockets = await bindSockets(setup.options, systemClock);
  try {
    return await supervise(setup, { sockets, tls });
  } finally {
    tls?.stop();
    for (const socket of sockets) socket.close();
    clearInterval(keepAlive);
  }
}

/** Loaded by those that serve TLS: it costs the others no memory. */
async function openTls({ tls, logs }: SupervisorSetup): Promise<TlsKeeper | undefined> {
  if (tls === undefined) return undefined;
  const module = await import("./tls.ts");
  return module.openTls(tls, { clock: systemClock, emit: (event) => logs.event(event) });
}

async function supervise(
  setup: SupervisorSetup,
  { sockets, tls }: { sockets: readonly BoundSocket[]; tls: TlsKeeper | undefined },
): Promise<Outcome> {
  const clock: Clock = systemClock;
  const { options, logs } = setup;
  const emit = (event: ChoirEvent): void => logs.event(event);
  const instances = options.concurrency === "auto" ? availableInstances() : options.concurrency;
  const scheme = tls === undefined ? "http" : "https";
  const urls = sockets.map(({ address }) => (address.startsWith("unix:") ? address : `${scheme}://${address}`));
  const launcher = createLauncher({
    name: setup.name,
    concurrency: instances,
    program: setup.program,
    sockets,
    limits: options,
    instanceOptions: instanceOptions(options),
    tls,
    logs,
    broker: new Broker({ clock }),
    clock,
    emit,
  });
  const supervisor = new Supervisor({ instances, respawn: options.respawn, urls }, { launcher, clock, emit });
  let ownFault: ChoirError | undefined;
  setup.strayErrors.listen({
    stray: (error) => emit({ event: "stray-error", ...error }),
    own(thrown) {
      ownFault ??= new ChoirError("ERR_CHOIR_INTERNAL", `Choir itself failed: ${String(thrown)}`, { cause: thrown });
      supervisor.stop("an error of Choir's own");
    },
  });
  handleSignals(supervisor, { clock, hasTerminal: setup.hasTerminal });
  emit({ event: "starting", name: setup.name, instances, addresses: urls, pid: process.pid, version: setup.version });
  tls?.start();
  supervisor.start();
  const outcome = await supervisor.finished;
  if (outcome.error === undefined) emit({ event: "stopped", code: outcome.code });
  return ownFault === undefined ? outcome : { code: EXIT.fatal, error: ownFault };
}

/** What instances need of the options. */
function instanceOptions(options: ResolvedOptions): InstanceOptions {
  const backlog = options.backlog === "auto" ? systemBacklog() : options.backlog;
  return {
    ...pickOptions(options, ["ready", "shutdownTimeout", "idleGrace", "ssl", "http2", ...LIMIT_NAMES]),
    backlog,
  };
}
