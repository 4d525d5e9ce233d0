/**
 * The supervisor's life from resolved options to an outcome: binds, starts, waits, and leaves nothing behind.
 * Called by src/runner.ts; the only place that puts the parts of supervisor/ together.
 */
import path from "node:path";
import { type Clock, systemClock } from "../clock.ts";
import { Control, pathContext } from "../control/control.ts";
import { ChoirError, EXIT } from "../errors.ts";
import type { ChoirEvent } from "../events.ts";
import type { LogRouter } from "../logs/router.ts";
import type { HeaderPolicyOptions } from "../http/headers.ts";
import type { Bridge } from "../messaging/bridges/bridge.ts";
import { Broker } from "../messaging/broker.ts";
import { availableInstances, systemBacklog } from "../options/concurrency.ts";
import { processEnvironment } from "../options/environment.ts";
import type { NotifyAddress, ServiceManager } from "../options/service-manager.ts";
import { type DerivedOptions, instanceOptionsOf, type ResolvedOptions } from "../options/table.ts";
import type { DashboardSource } from "../options/dashboard-source.ts";
import type { EngineSource } from "../options/engine-source.ts";
import type { TlsSources } from "../options/tls-sources.ts";
import type { StrayErrors } from "../stray-errors.ts";
import type { Declaration } from "../protocol.ts";
import { KeptOptions, type RunningOptions } from "./kept-options.ts";
import { openControls } from "./controls.ts";
import type { Health } from "./health.ts";
import { groupMemoryLimit, heapShares, isHeapGiven } from "./heap-share.ts";
import type { Outcome, SupervisorContext, SupervisorOptions } from "./context.ts";
import type { Identity } from "./identity.ts";
import { createLauncher, type Examiner, type Launcher, type Program } from "./launcher.ts";
import { heartbeatInterval, startRounds } from "./rounds.ts";
import { collectStartGarbage } from "./start-garbage.ts";
import { handleSignals } from "./signals.ts";
import { type Listening, openSockets, type Sockets } from "./open-sockets.ts";
import { Supervisor } from "./supervisor.ts";
import type { ConnectContext, ServiceConnection } from "../systemd/connect.ts";
import type { TlsKeeper } from "./tls.ts";
import type { FileWatch } from "./watch.ts";

export interface SupervisorSetup {
  readonly name: string;
  readonly version: string;
  readonly program: Program;
  readonly options: ResolvedOptions;
  readonly origins: RunningOptions["origins"];
  /** What the code gave to the Runner. */
  readonly declared: Declaration;
  /** Set when instances ask for their sockets, as under `choir start`: nothing is bound before they do. */
  readonly listening?: Listening;
  /** Set with --watch: files that are watched besides those that instances import. */
  readonly watched?: readonly string[] | undefined;
  /** The header policy of the configuration file. */
  readonly headers?: HeaderPolicyOptions | undefined;
  /** Set when TLS is to be served. */
  readonly tls: TlsSources | undefined;
  /** Whom the instances run as, when that is not who the supervisor is. */
  readonly identity: Identity | undefined;
  /** Set when an engine carries messages to other machines. */
  readonly engine: EngineSource | undefined;
  /** Set with --dashboard. */
  readonly dashboard: DashboardSource | undefined;
  /** What started the process has passed to it. */
  readonly serviceManager: ServiceManager;
  readonly logs: LogRouter;
  readonly strayErrors: StrayErrors;
  /** Whether the process has a controlling terminal. */
  readonly hasTerminal: boolean;
}

/** After so long all that a start loads is loaded. */
const START_MS = 1000;

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
  const { broker, bridge } = await openBroker(setup, emit);
  const sockets = await openSockets(setup, emit);
  const watch = await openWatch(setup);
  let health: Health | undefined;
  try {
    health = await openHealth(setup, emit);
    return await supervise(setup, { sockets, emit, control, tls, broker, health, watch });
  } finally {
    health?.close();
    await bridge?.close();
    tls?.stop();
    watch?.close();
    sockets.close();
    // After the sockets: who waits for the control socket to go may start a successor on the same addresses.
    await control.close();
    clearInterval(keepAlive);
  }
}

/** Loaded by those that serve TLS: it costs the others no memory. */
export async function openTls({ tls }: SupervisorSetup, emit: Emit): Promise<TlsKeeper | undefined> {
  if (tls === undefined) return undefined;
  const module = await import("./tls.ts");
  return module.openTls(tls, { clock: systemClock, emit });
}

/** The bridge is loaded by those that have an engine. Started before the instances, so that they find other machines' values. */
async function openBroker({ engine }: SupervisorSetup, emit: Emit): Promise<{ broker: Broker; bridge?: Bridge }> {
  if (engine === undefined) return { broker: new Broker({ clock: systemClock }) };
  const module = await import("./engine.ts");
  const bridged = await module.openBridge(engine, { clock: systemClock, emit });
  await bridged.bridge.start();
  return bridged;
}

/** Loaded where it is asked for. */
async function openHealth({ options }: SupervisorSetup, emit: Emit): Promise<Health | undefined> {
  const { healthAddress: address } = options;
  if (address === undefined) return undefined;
  const module = await import("./health.ts");
  return module.openHealth({ address, options, emit });
}

/** Loaded where there is a service manager that listens: it costs the others no memory. */
async function connectTo(
  notify: NotifyAddress | undefined,
  context: ConnectContext,
): Promise<ServiceConnection | undefined> {
  if (notify === undefined) return undefined;
  const module = await import("../systemd/connect.ts");
  return module.connectService(notify, context);
}

/** Loaded with --watch only. */
async function openWatch({ watched }: SupervisorSetup): Promise<FileWatch | undefined> {
  if (watched === undefined) return undefined;
  const module = await import("./watch.ts");
  return new module.FileWatch({ files: watched, clock: systemClock });
}

interface Surroundings {
  readonly sockets: Sockets;
  readonly emit: Emit;
  readonly control: Control;
  readonly tls: TlsKeeper | undefined;
  readonly broker: Broker;
  readonly watch?: FileWatch | undefined;
  readonly health: Health | undefined;
}

async function supervise(setup: SupervisorSetup, surroundings: Surroundings): Promise<Outcome> {
  const clock: Clock = systemClock;
  const { sockets, emit, control, tls } = surroundings;
  const { name, version, options } = setup;
  const instances = options.concurrency === "auto" ? availableInstances() : options.concurrency;
  const launcher = makeLauncher(setup, surroundings);
  const supervisor = new Supervisor(
    supervisorOptions(setup, { instances, sockets }),
    contextOf(setup, surroundings, launcher),
  );
  surroundings.health?.watch(supervisor);
  surroundings.watch?.onChange((files) => void supervisor.restart(`a change of ${namesOf(files)}`));
  const service = await connectTo(setup.serviceManager.notify, { supervisor, events: control.events, clock, emit });
  const { logs, dashboard } = setup;
  const controls = await openControls({ ...surroundings, supervisor, options, logs, dashboard, clock });
  // From here to start() nothing waits: a signal or a request that came in between would find a supervisor without instances.
  let ownFault: ChoirError | undefined;
  setup.strayErrors.listen({
    stray: (error) => emit({ event: "stray-error", ...error }),
    own(thrown) {
      ownFault ??= new ChoirError("ERR_CHOIR_INTERNAL", `Choir itself failed: ${String(thrown)}`, { cause: thrown });
      supervisor.stop("an error of Choir's own");
    },
  });
  handleSignals(supervisor, { clock, hasTerminal: setup.hasTerminal, reopenLogs: () => setup.logs.reopen() });
  const told = { name, instances, addresses: sockets.urls, pid: process.pid, version };
  emit({ event: "starting", ...told, ...controls.socket });
  controls.start(emit);
  tls?.start();
  service?.start();
  supervisor.start();
  clock.after(START_MS, collectStartGarbage);
  const isHeldUp = (): boolean => setup.logs.isBlocked;
  const endRounds = startRounds(supervisor, { examiner: launcher, options, clock, emit, isHeldUp });
  const outcome = await supervisor.finished.finally(endRounds);
  controls.close();
  if (outcome.error === undefined) emit({ event: "stopped", code: outcome.code });
  await service?.end(outcome.error?.message);
  return ownFault === undefined ? outcome : { code: EXIT.fatal, error: ownFault };
}

function contextOf(
  { options, logs }: SupervisorSetup,
  { sockets, emit, broker }: Surroundings,
  launcher: Launcher,
): SupervisorContext {
  return {
    launcher,
    clock: systemClock,
    emit,
    ending: () => void systemClock.after(options.drainDelay, () => sockets.close()),
    engine: () => broker.stats.engine,
    logs: () => logs.statistics(),
  };
}

function namesOf(files: readonly string[]): string {
  const [first = "", ...others] = files.map((file) => path.relative(process.cwd(), file));
  return others.length === 0 ? first : `${first} and ${others.length} more`;
}

function supervisorOptions(
  { options, name, version, watched }: SupervisorSetup,
  { instances, sockets }: { instances: number; sockets: Sockets },
): SupervisorOptions {
  return {
    ...options,
    name,
    version,
    instances,
    holdFailures: watched !== undefined,
    get urls() {
      return sockets.urls;
    },
  };
}

/** Puts together what starts instances. */
export function makeLauncher(
  setup: SupervisorSetup,
  { sockets, emit, tls, broker, watch }: Pick<Surroundings, "sockets" | "emit" | "tls" | "broker" | "watch">,
): Launcher & Examiner {
  const { options } = setup;
  return createLauncher({
    ...setup,
    sockets: sockets.bound,
    desk: sockets.desk,
    watch,
    limits: options,
    instanceOptions: instanceOptionsOf(options, derivedOptions(options)),
    keptOptions: new KeptOptions(setup, emit),
    tls,
    broker,
    heapOf: heapOf(setup, emit),
    clock: systemClock,
    emit,
  });
}

function heapOf({ program, options }: SupervisorSetup, emit: Emit): (instances: number) => number | undefined {
  const isGiven = isHeapGiven(program.execArgv, processEnvironment()["NODE_OPTIONS"]);
  return heapShares({ limit: isGiven ? undefined : groupMemoryLimit(), maxSurge: options.maxSurge }, emit);
}

function derivedOptions({ backlog, unresponsiveTimeout }: ResolvedOptions): DerivedOptions {
  return {
    backlog: backlog === "auto" ? systemBacklog() : backlog,
    heartbeatInterval: heartbeatInterval(unresponsiveTimeout),
  };
}
