/** Makes instances: gives a process its birth value, its sockets, its log pipes and its place at the broker. Runs in the supervisor. */
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import type { Clock } from "../clock.ts";
import type { ChoirEvent } from "../events.ts";
import type { LogRouter } from "../logs/router.ts";
import type { Broker } from "../messaging/broker.ts";
import { instanceEnvironment } from "../options/environment.ts";
import type { InstanceOptions } from "../options/table.ts";
import type { HeaderPolicyOptions } from "../http/headers.ts";
import { INSPECT_PORT_FLAG, type InstanceBirth, type ModuleBirth } from "../protocol.ts";
import { type Child, FIRST_LISTENER_FD, PUBSUB_FD, spawnChild } from "./child.ts";
import { type Examination, examine, type Patient } from "./examine.ts";
import { explainedExit } from "./explain-exit.ts";
import type { Identity } from "./identity.ts";
import { Instance, type InstanceLimits, type InstanceObserver, type InstanceSpec } from "./instance.ts";
import { countOomKills } from "./memory.ts";
import type { KeptOptions } from "./kept-options.ts";
import { Locations } from "./locations.ts";
import type { SocketDesk } from "./socket-desk.ts";
import type { BoundSocket } from "./sockets.ts";
import type { ThreadState } from "./thread-state.ts";
import type { TlsKeeper } from "./tls.ts";
import type { FileWatch } from "./watch.ts";

/** Where a new instance belongs. */
export interface Place {
  /** The slot's number. */
  readonly slot: number;
  readonly generation: number;
  /** How often the slot has been filled anew. */
  readonly restarts: number;
  /** How many instances there are to be at that moment. */
  readonly instances: number;
}

/** Makes the process of an instance, with its logs and messages connected. */
export interface Launcher {
  launch(place: Place, observer: InstanceObserver): Instance;
  /** Resolves the program's path afresh for a new generation. */
  prepare(generation: number): void;
  /** Whether the program of a generation is still where it was when that was prepared. */
  isThere(generation: number): boolean;
}

/** Looks into an instance that does not respond, which is to be killed then. */
export interface Examiner {
  examine(instance: Instance, state: ThreadState): Promise<Examination>;
}

/** The program that every instance runs: the user's own file, again, or the file of `choir start`. */
export interface Program {
  readonly execPath: string;
  readonly execArgv: readonly string[];
  /** Absolute path, symbolic links unresolved: they are followed afresh for each generation. */
  readonly entry: string;
  /** The working directory, likewise. */
  readonly cwd: string;
  readonly args: readonly string[];
  /** Variables that instances have besides those of the supervisor's own environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Set for `choir start`: how the file is to be taken. */
  readonly module?: Omit<ModuleBirth, "entry">;
}

export interface LauncherSetup {
  readonly name: string;
  readonly program: Program;
  /** Those that instances are born with. */
  readonly sockets: readonly BoundSocket[];
  /** Where instances ask for more; only with `choir start`. */
  readonly desk?: SocketDesk | undefined;
  /** Where files are watched; only with --watch. */
  readonly watch?: FileWatch | undefined;
  /** The header policy of the configuration file. */
  readonly headers?: HeaderPolicyOptions | undefined;
  readonly limits: InstanceLimits;
  readonly instanceOptions: InstanceOptions;
  readonly logs: LogRouter;
  readonly broker: Broker;
  readonly clock: Clock;
  readonly emit: (event: ChoirEvent) => void;
  /** Set when TLS is served. */
  readonly tls: TlsKeeper | undefined;
  /** How large the heap of one among so many may grow, in MiB; undefined to leave that to V8. */
  readonly heapOf: (instances: number) => number | undefined;
  /** Whom the instances run as, when that is not who the supervisor is. */
  readonly identity: Identity | undefined;
  readonly keptOptions: KeptOptions;
}

const PRELOAD = fileURLToPath(new URL("../instance/main.js", import.meta.url));

/** Flags of the supervisor's own that would collide if every instance had them: they name one port or one file. */
const NOT_INHERITED = /^--inspect(-brk|-wait|-port|-publish-uid)?(=|$)/;

/** Makes the launcher of a supervisor. */
export function createLauncher(setup: LauncherSetup): Launcher & Examiner {
  const inherited = setup.program.execArgv.filter((flag) => !NOT_INHERITED.test(flag));
  const patients = new WeakMap<Instance, Patient>();
  const locations = new Locations(setup.program);
  return {
    launch(place, observer) {
      const spec = { ...place, uid: randomUUID() };
      const { entry, cwd } = locations.of(place.generation);
      const child = spawnChild({
        ...setup.program,
        entry,
        cwd,
        execArgv: [...inherited, ...heapFlags(setup, place), INSPECT_PORT_FLAG, "--import", PRELOAD],
        environment: environmentOf(setup, birthOf(setup, spec, entry)),
        identity: setup.identity,
        listenerFds: setup.sockets.map((socket) => socket.fd),
      });
      const { instance, patient } = adopt(setup, child, { spec, observer });
      patients.set(instance, patient);
      connectMessages(setup, instance, child);
      setup.tls?.attach(child);
      setup.desk?.attach(child, place.generation);
      setup.watch?.attach(child);
      setup.keptOptions.attach(child, place.generation);
      return instance;
    },
    examine(instance, state) {
      const patient = patients.get(instance);
      if (patient === undefined) throw new Error("An instance of another launcher. This is a bug in Choir");
      return examine(patient, { state, clock: setup.clock });
    },
    prepare(generation) {
      locations.prepare(generation);
      // Who restarts after a renewal expects it to be taken up; one that cannot be read is said by the regular look.
      void setup.tls?.check().catch(() => {});
    },
    isThere: (generation) => locations.isThere(generation),
  };
}

/** Makes an instance of a process, with its lines read from the first one on. */
function adopt(
  { logs, limits, clock }: LauncherSetup,
  child: Child,
  { spec, observer }: { spec: InstanceSpec; observer: InstanceObserver },
): { instance: Instance; patient: Patient } {
  const { pid, stdout, stderr } = child;
  const log = logs.attach({ instance: spec.slot, generation: spec.generation, pid, stdout, stderr });
  const exited = explainedExit(child.exited, { log, countOomKills, clock });
  const lastWords = (): string[] => log.lastWords();
  return {
    instance: new Instance({ ...child, exited }, spec, { limits, clock, observer, lastWords }),
    patient: { kill: (signal) => child.kill(signal), intercept: (interceptor) => log.intercept(interceptor) },
  };
}

function heapFlags({ heapOf }: LauncherSetup, { instances }: Place): string[] {
  const heapMiB = heapOf(instances);
  return heapMiB === undefined ? [] : [`--max-old-space-size=${heapMiB}`];
}

function environmentOf({ program, identity }: LauncherSetup, birth: InstanceBirth): NodeJS.ProcessEnv {
  return { ...instanceEnvironment(birth), ...program.environment, ...identity?.environment };
}

function birthOf(setup: LauncherSetup, place: Place & InstanceSpec, entry: string): InstanceBirth {
  const { headers, program } = setup;
  return {
    info: {
      id: place.slot,
      uid: place.uid,
      generation: place.generation,
      name: setup.name,
      concurrency: place.instances,
      startedAt: new Date(setup.clock.date()).toISOString(),
      restarts: place.restarts,
    },
    options: setup.instanceOptions,
    listeners: setup.sockets.map((socket, index) => ({ fd: FIRST_LISTENER_FD + index, address: socket.address })),
    pubSubFd: PUBSUB_FD,
    ...(headers !== undefined && { headers }),
    ...(program.module !== undefined && { module: { ...program.module, entry } }),
  };
}

function connectMessages({ broker, emit }: LauncherSetup, instance: Instance, child: Child): void {
  const of = instance.place;
  broker.connect({
    id: instance.uid,
    slot: instance.slot,
    stream: child.pubSub,
    onOverload: ({ dropped, droppedBytes }) => emit({ event: "pubsub-overload", ...of, dropped, droppedBytes }),
    onRecovered: ({ dropped, droppedBytes }) => emit({ event: "pubsub-recovered", ...of, dropped, droppedBytes }),
    onBroken(error) {
      emit({ event: "pubsub-broken", ...of, error: error.message });
      instance.breakOff();
    },
  });
}
