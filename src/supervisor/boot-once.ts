/**
 * Boots one instance that listens nowhere, waits until it is ready, and lets it end: `choir check`. Runs in the supervisor's process,
 * in which nothing is supervised.
 */
import { systemClock } from "../clock.ts";
import { Broker } from "../messaging/broker.ts";
import type { InstanceExit, InstanceObserver } from "./instance.ts";
import { makeLauncher, openTls, type SupervisorSetup } from "./main.ts";
import { openSockets } from "./open-sockets.ts";
import { causeOf } from "./start-failures.ts";

/** How it went: ready after that many milliseconds, or why not. */
export interface Boot {
  readonly readyMs: number | null;
  readonly exit: InstanceExit;
}

/** Resolves when the instance has ended; `setup.listening` is private. */
export async function bootOnce(setup: SupervisorSetup): Promise<Boot> {
  // Nothing else holds the process until the instance has begun to talk.
  const keepAlive = setInterval(() => {}, 0x7f_ff_ff_ff);
  const emit = setup.logs.event.bind(setup.logs);
  const tls = await openTls(setup, emit);
  const sockets = await openSockets(setup, emit);
  try {
    const broker = new Broker({ clock: systemClock });
    const launcher = makeLauncher(setup, { sockets, emit, tls, broker });
    launcher.prepare(0);
    return await new Promise<Boot>((resolve) => {
      launcher.launch({ slot: 0, generation: 0, restarts: 0, instances: 1 }, observerOf(setup, resolve));
    });
  } finally {
    tls?.stop();
    sockets.close();
    clearInterval(keepAlive);
  }
}

function observerOf({ logs }: SupervisorSetup, resolve: (boot: Boot) => void): InstanceObserver {
  let readyMs: number | null = null;
  return {
    ready(instance) {
      readyMs = Math.round(systemClock.now() - instance.spawnedAt);
      instance.drain("stop");
    },
    leaving: (instance) => instance.drain("stop"),
    killing: (instance, why, openRequests) =>
      logs.event({ event: "instance-killed", ...instance.place, why, openRequests }),
    measured: () => {},
    exited(instance, exit) {
      if (exit.readyMs === null) {
        const { message, code, text } = causeOf(exit);
        logs.event({ event: "instance-start-failed", ...instance.place, error: message, code, stack: text });
      }
      resolve({ readyMs, exit });
    },
  };
}
