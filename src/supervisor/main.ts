/**
 * The supervisor's life from resolved options to an outcome: binds, starts, waits, and leaves nothing behind.
 * Called by src/runner.ts; the only place that puts the parts of supervisor/ together.
 */
import { type Clock, systemClock } from "../clock.ts";
import { Control, pathContext } from "../control/control.ts";
import { ChoirError, EXIT } from "../errors.ts";
import type { ChoirEvent } from "../events.ts";
import type { LogRouter } from "../logs/router.ts";
import type { HeaderPolicyOptions } from "../http/headers.ts";
import { Broker } from "../messaging/broker.ts";
import { availableInstances, systemBacklog } from "../options/concurrency.ts";
import { processEnvironment } from "../options/environment.ts";
import { type DerivedOptions, instanceOptionsOf, type ResolvedOptions } from "../options/table.ts";
import type { TlsSources } from "../options/tls-sources.ts";
import type { StrayErrors } from "../stray-errors.ts";
import type { Declaration } from "../protocol.ts";
import { KeptOptions, type RunningOptions } from "./kept-options.ts";
import { createLauncher, type Program } from "./launcher.ts";
import { heartbeatInterval, startRounds } from "./rounds.ts";
import type { SocketDesk, SocketDeskSetup } from "./socket-desk.ts";
import { handleSignals } from "./signals.ts";
import { type BoundSocket, bindSockets } from "./sockets.ts";
import { type Outcome, Supervisor, type SupervisorOptions } from "./supervisor.ts";
import type { TlsKeeper } from "./tls.ts";

export interface SupervisorSetup {
  readonly name: string;
  readonly version: string;
  readonly program: Program;
  readonly options: ResolvedOptions;
  readonly origins: RunningOptions["origins"];
  /** What the code gave to the Runner. */
  readonly declared: Declaration;
  /** Set when instances ask for their sockets, as under `choir start`: nothing is bound before they do. */
  readonly listening?: Omit<SocketDeskSetup, "options" | "clock">;
  /** The header policy of the configuration file. */
  readonly headers?: HeaderPolicyOptions | undefined;
  /** Set when TLS is to be served. */
  readonly tls: TlsSources | undefined;
  readonly logs: LogRouter;
  readonly strayErrors: StrayErrors;
  /** Whether the process has a controlling terminal. */
  readonly hasTerminal: boolean;
}

type Emit = (event: ChoirEvent) => void;

/** Runs until every instance is gone. Errors of binding come out as ChoirError. */
export async function runSupervisor(setup: SupervisorSetup): Promise<Outcome> {
  // Bound sockets and timers of the clock hold no process; while every slot waits for its respawn nothing else would.
  const keepAlive = setInterval(() => {}, 0x7f_ff_ff_ff);
  const emit: Emit = (event) => {
    setup.logs.event(event);
    control.events.emit(event);
  };
  const context = pathContext(processEnvironment());
  const control = new Control({ name: setup.name, options: setup.options, context, clock: systemClock, emit });
  // First: a certificate that cannot be used must leave nothing behind.
  const tls = await openTls(setup, emit);
  const sockets = await openSockets(setup);
  try {
    return await supervise(setup, { sockets, emit, control, tls });
  } finally {
    tls?.stop();
    sockets.close();
    // After the sockets: who waits for the control socket to go may start a successor on the same addresses.
    await control.close();
    clearInterval(keepAlive);
  }
}

/** Loaded by those that serve TLS: it costs the others no memory. */
async function openTls({ tls }: SupervisorSetup, emit: Emit): Promise<TlsKeeper | undefined> {
  if (tls === undefined) return undefined;
  const module = await import("./tls.ts");
  return module.openTls(tls, { clock: systemClock, emit });
}

/** Where instances get their sockets from. */
interface Sockets {
  /** Those that they are born with. */
  readonly bound: readonly BoundSocket[];
  /** Where they ask for them. */
  readonly desk?: SocketDesk;
  /** How they are written in URLs, as far as they are known. */
  readonly urls: readonly string[];
  /** Gives up the supervisor's copies. Instances have their own, and accept until the queue is empty. */
  close(): void;
}

async function openSockets({ options, listening, tls }: SupervisorSetup): Promise<Sockets> {
  if (listening !== undefined) {
    const { SocketDesk } = await import("./socket-desk.ts");
    const desk = new SocketDesk({ ...listening, options, clock: systemClock });
    return {
      bound: [],
      desk,
      get urls() {
        return desk.urls;
      },
      close: () => desk.close(),
    };
  }
  const bound = await bindSockets(options, systemClock);
  const scheme = tls === undefined ? "http" : "https";
  return {
    bound,
    urls: bound.map(({ address }) => (address.startsWith("unix:") ? address : `${scheme}://${address}`)),
    close: () => bound.forEach((socket) => socket.close()),
  };
}

interface Surroundings {
  readonly sockets: Sockets;
  readonly emit: Emit;
  readonly control: Control;
  readonly tls: TlsKeeper | undefined;
}

async function supervise(setup: SupervisorSetup, { sockets, emit, control, tls }: Surroundings): Promise<Outcome> {
  const clock: Clock = systemClock;
  const { name, version, options } = setup;
  const instances = options.concurrency === "auto" ? availableInstances() : options.concurrency;
  const launcher = makeLauncher(setup, { sockets, emit, control, tls }, instances);
  const ending = (): void => void clock.after(options.drainDelay, () => sockets.close());
  const running = supervisorOptions(setup, { instances, sockets });
  const supervisor = new Supervisor(running, { launcher, clock, emit, ending });
  const socket = await control.open(supervisor);
  // From here to start() nothing waits: a signal or a request that came in between would find a supervisor without instances.
  let ownFault: ChoirError | undefined;
  setup.strayErrors.listen({
    stray: (error) => emit({ event: "stray-error", ...error }),
    own(thrown) {
      ownFault ??= new ChoirError("ERR_CHOIR_INTERNAL", `Choir itself failed: ${String(thrown)}`, { cause: thrown });
      supervisor.stop("an error of Choir's own");
    },
  });
  handleSignals(supervisor, { clock, hasTerminal: setup.hasTerminal });
  const { pid } = process;
  emit({
    event: "starting",
    name,
    instances,
    addresses: sockets.urls,
    pid,
    version,
    ...(socket && { control: socket }),
  });
  tls?.start();
  supervisor.start();
  const endRounds = startRounds(supervisor, { examiner: launcher, options, clock, emit });
  const outcome = await supervisor.finished.finally(endRounds);
  if (outcome.error === undefined) emit({ event: "stopped", code: outcome.code });
  return ownFault === undefined ? outcome : { code: EXIT.fatal, error: ownFault };
}

function supervisorOptions(
  { options, name, version }: SupervisorSetup,
  { instances, sockets }: { instances: number; sockets: Sockets },
): SupervisorOptions {
  return {
    ...options,
    name,
    version,
    instances,
    get urls() {
      return sockets.urls;
    },
  };
}

function makeLauncher(setup: SupervisorSetup, { sockets, emit, tls }: Surroundings, concurrency: number) {
  const { options } = setup;
  return createLauncher({
    ...setup,
    concurrency,
    sockets: sockets.bound,
    desk: sockets.desk,
    limits: options,
    instanceOptions: instanceOptionsOf(options, derivedOptions(options)),
    keptOptions: new KeptOptions(setup, emit),
    tls,
    broker: new Broker({ clock: systemClock }),
    clock: systemClock,
    emit,
  });
}

function derivedOptions({ backlog, unresponsiveTimeout }: ResolvedOptions): DerivedOptions {
  return {
    backlog: backlog === "auto" ? systemBacklog() : backlog,
    heartbeatInterval: heartbeatInterval(unresponsiveTimeout),
  };
}
