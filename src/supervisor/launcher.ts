/** Makes instances: gives a process its birth value, its sockets, its log pipes and its place at the broker. Runs in the supervisor. */
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import type { Clock } from "../clock.ts";
import type { ChoirEvent } from "../events.ts";
import type { LogRouter } from "../logs/router.ts";
import type { Broker } from "../messaging/broker.ts";
import { instanceEnvironment } from "../options/environment.ts";
import type { InstanceOptions } from "../options/table.ts";
import type { InstanceBirth } from "../protocol.ts";
import { type Child, FIRST_LISTENER_FD, PUBSUB_FD, spawnChild } from "./child.ts";
import { Instance, type InstanceLimits } from "./instance.ts";
import type { BoundSocket } from "./sockets.ts";
import type { Launcher, Place } from "./supervisor.ts";
import type { TlsKeeper } from "./tls.ts";

/** The program that every instance runs: the user's own file, again. */
export interface Program {
  readonly execPath: string;
  readonly execArgv: readonly string[];
  /** Absolute path. */
  readonly entry: string;
  readonly args: readonly string[];
}

export interface LauncherSetup {
  readonly name: string;
  readonly concurrency: number;
  readonly program: Program;
  readonly sockets: readonly BoundSocket[];
  readonly limits: InstanceLimits;
  readonly instanceOptions: InstanceOptions;
  readonly logs: LogRouter;
  readonly broker: Broker;
  readonly clock: Clock;
  readonly emit: (event: ChoirEvent) => void;
  /** Set when TLS is served. */
  readonly tls: TlsKeeper | undefined;
}

const PRELOAD = fileURLToPath(new URL("../instance/main.js", import.meta.url));

/** Flags of the supervisor's own that would collide if every instance had them: they name one port or one file. */
const NOT_INHERITED = /^--inspect(-brk|-wait|-port|-publish-uid)?(=|$)/;

/** Makes the launcher of a supervisor. */
export function createLauncher(setup: LauncherSetup): Launcher {
  const execArgv = [...setup.program.execArgv.filter((flag) => !NOT_INHERITED.test(flag)), "--import", PRELOAD];
  return {
    launch(place, observer) {
      const uid = randomUUID();
      const child = spawnChild({
        ...setup.program,
        execArgv,
        environment: instanceEnvironment(birthOf(setup, place, uid)),
        listenerFds: setup.sockets.map((socket) => socket.fd),
      });
      const spec = { slot: place.slot, generation: place.generation, uid };
      const instance = new Instance(child, spec, { limits: setup.limits, clock: setup.clock, observer });
      connect(setup, instance, child);
      setup.tls?.attach(child);
      return instance;
    },
  };
}

function birthOf(setup: LauncherSetup, place: Place, uid: string): InstanceBirth {
  return {
    info: {
      id: place.slot,
      uid,
      generation: place.generation,
      name: setup.name,
      concurrency: setup.concurrency,
      startedAt: new Date(setup.clock.date()).toISOString(),
      restarts: place.restarts,
    },
    options: setup.instanceOptions,
    listeners: setup.sockets.map((socket, index) => ({ fd: FIRST_LISTENER_FD + index, address: socket.address })),
    pubSubFd: PUBSUB_FD,
  };
}

/** Connects what the process writes: its lines and its messages. */
function connect({ logs, broker, emit }: LauncherSetup, instance: Instance, child: Child): void {
  const of = { instance: instance.slot, generation: instance.generation, pid: instance.pid };
  logs.attach({ ...of, stdout: child.stdout, stderr: child.stderr });
  broker.connect({
    id: instance.uid,
    stream: child.pubSub,
    onOverload: ({ dropped, droppedBytes }) => emit({ event: "pubsub-overload", ...of, dropped, droppedBytes }),
    onBroken(error) {
      emit({ event: "pubsub-broken", ...of, error: error.message });
      instance.breakOff();
    },
  });
}
