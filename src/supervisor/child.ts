/**
 * Spawns the process of one instance: the only file that spawns. Used in the supervisor; what the process does with the
 * descriptors is in src/instance/main.ts.
 */
import { type ChildProcess, type SendHandle, spawn } from "node:child_process";
import { Duplex, Readable } from "node:stream";
import type { Explanation } from "./explain-exit.ts";
import type { Identity } from "./identity.ts";
import { isControlMessage, type ToInstance, type ToSupervisor } from "../protocol.ts";

export interface ChildSpec {
  readonly execPath: string;
  /** Node's own flags, the preload's among them. */
  readonly execArgv: readonly string[];
  /** The file to run, absolute. */
  readonly entry: string;
  readonly cwd: string;
  /** What the app finds in process.argv after the entry. */
  readonly args: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  /** Descriptors here that become FIRST_LISTENER_FD and the following there. */
  readonly listenerFds: readonly number[];
  /** User and group to run as; undefined for those of the supervisor. */
  readonly identity: Pick<Identity, "uid" | "gid"> | undefined;
}

/** Descriptors in the instance: 0 nothing, 1 and 2 logs, 3 Node's IPC, 4 pub/sub, then the listening sockets. */
export const PUBSUB_FD = 4;
export const FIRST_LISTENER_FD = 5;

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Set when there never was a process: the system's reason. */
  readonly spawnError?: Error;
  /** What is known of why it ended, beyond code and signal. */
  readonly explanation?: Explanation | undefined;
}

export interface Child {
  /** -1 when the process could not be spawned. */
  readonly pid: number;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly pubSub: Duplex;
  /** Resolved when the process has ended; its pipes may still hold data then. */
  readonly exited: Promise<ChildExit>;
  /** Calls the listener for each of Choir's control messages; the app's own IPC messages are not for us. */
  onMessage(listener: (message: ToSupervisor) => void): void;
  /** Sends a control message, and a handle with it; an instance that is gone does not mind. */
  send(message: ToInstance, handle?: SendHandle): void;
  kill(signal: NodeJS.Signals): void;
}

/** Starts the process; failing to is an exit too, since what follows is the same. */
export function spawnChild(spec: ChildSpec): Child {
  try {
    return childOf(spawnProcess(spec));
  } catch (error) {
    // ENOMEM and E2BIG are thrown, unlike EAGAIN and EMFILE; instances that serve must not end for any of them.
    return stillborn(error instanceof Error ? error : new Error(String(error)));
  }
}

function spawnProcess(spec: ChildSpec): ChildProcess {
  return spawn(spec.execPath, [...spec.execArgv, spec.entry, ...spec.args], {
    // A session of its own: a Ctrl-C in the terminal reaches the whole process group, and must not reach instances.
    detached: true,
    cwd: spec.cwd,
    env: spec.environment,
    // libuv gives up the further groups as well.
    ...(spec.identity !== undefined && { uid: spec.identity.uid, gid: spec.identity.gid }),
    stdio: ["ignore", "pipe", "pipe", "ipc", "pipe", ...spec.listenerFds],
    // JSON cannot be confused by values the app sends on the same channel.
    serialization: "json",
  });
}

function childOf(child: ChildProcess): Child {
  const exited = exitOf(child);
  const [, stdout, stderr] = stdioOf(child);
  const pubSub = stdioOf(child)[PUBSUB_FD];
  return {
    pid: child.pid ?? -1,
    stdout: stdout instanceof Readable ? stdout : endedStream(),
    stderr: stderr instanceof Readable ? stderr : endedStream(),
    pubSub: pubSub instanceof Duplex ? pubSub : endedStream(),
    exited,
    onMessage(listener) {
      child.on("message", (message: unknown) => {
        if (isControlMessage(message)) listener(message as ToSupervisor);
      });
    },
    send(message, handle) {
      // EPIPE and ERR_IPC_CHANNEL_CLOSED only say that it is ending; its exit says the rest.
      if (child.connected) child.send(message, handle, {}, () => {});
    },
    kill(signal) {
      child.kill(signal);
    },
  };
}

/** The parent's ends of the pipes: out of descriptors Node does not even make them, whatever its types say. */
function stdioOf(child: { readonly stdio?: ChildProcess["stdio"] }): readonly unknown[] {
  return child.stdio ?? [];
}

/** Stands for a process that there never was. */
function stillborn(spawnError: Error): Child {
  return {
    pid: -1,
    stdout: endedStream(),
    stderr: endedStream(),
    pubSub: endedStream(),
    exited: Promise.resolve({ code: null, signal: null, spawnError }),
    onMessage: () => {},
    send: () => {},
    kill: () => {},
  };
}

function endedStream(): Duplex {
  return new Duplex({
    read() {
      this.push(null);
    },
    write: (_chunk, _encoding, done) => done(),
  });
}

function exitOf(child: ChildProcess): Promise<ChildExit> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
    // Also emitted when a signal or message cannot be delivered; then the process lives and its exit follows.
    child.on("error", (spawnError) => {
      if (child.pid === undefined) resolve({ code: null, signal: null, spawnError });
    });
  });
}
