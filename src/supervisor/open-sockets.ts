/**
 * Which sockets an app listens on: those that the service manager has passed, or else what its options say; or, under `choir start`,
 * what it asks for. Runs in the supervisor.
 */
import { systemClock } from "../clock.ts";
import type { ChoirEvent } from "../events.ts";
import type { ServiceManager } from "../options/service-manager.ts";
import type { Identity } from "./identity.ts";
import type { SocketDesk, SocketDeskSetup } from "./socket-desk.ts";
import { adoptSockets, type BoundSocket, bindSockets, type SocketOptions } from "./sockets.ts";

/** How instances ask for their sockets. */
export type Listening = Pick<SocketDeskSetup, "addressGiven" | "isPrivate">;

export interface OpenSocketsSetup {
  readonly serviceManager: ServiceManager;
  readonly options: SocketOptions;
  /** Set when TLS is to be served. */
  readonly tls: unknown;
  /** Whose a Unix socket is to be. */
  readonly identity: Identity | undefined;
  /** Set when instances ask: nothing is bound before they do. */
  readonly listening?: Listening;
}

/** Where instances get their sockets from. */
export interface Sockets {
  /** Those that they are born with. */
  readonly bound: readonly BoundSocket[];
  /** Where they ask for them. */
  readonly desk?: SocketDesk;
  /** How they are written in URLs, as far as they are known. */
  readonly urls: readonly string[];
  /** Gives up the supervisor's copies. Instances have their own, and accept until the queue is empty. */
  close(): void;
}

/** Opens them, and says where they are from when that is not the options. Errors come out as ChoirError. */
export async function openSockets(setup: OpenSocketsSetup, emit: (event: ChoirEvent) => void): Promise<Sockets> {
  const { tls, listening } = setup;
  const options = { ...setup.options, owner: setup.identity };
  const scheme = tls === undefined ? "http" : "https";
  const passed = passedSockets(setup.serviceManager, emit);
  if (listening !== undefined) return askedSockets({ ...listening, options, passed, scheme, emit, clock: systemClock });
  const bound = passed.length === 0 ? await bindSockets(options, systemClock) : passed;
  return {
    bound,
    urls: bound.map(({ address }) => (address.startsWith("unix:") ? address : `${scheme}://${address}`)),
    close() {
      for (const socket of bound) socket.close();
    },
  };
}

/** Loaded for `choir start` only. */
async function askedSockets(setup: SocketDeskSetup): Promise<Sockets> {
  const { SocketDesk } = await import("./socket-desk.ts");
  const desk = new SocketDesk(setup);
  return {
    bound: [],
    desk,
    get urls() {
      return desk.urls;
    },
    close: () => desk.close(),
  };
}

function passedSockets(
  { sockets: passed, strangerPid }: ServiceManager,
  emit: (event: ChoirEvent) => void,
): readonly BoundSocket[] {
  if (strangerPid !== undefined) emit({ event: "sockets-for-another", pid: strangerPid });
  if (passed.length === 0) return [];
  const sockets = adoptSockets(passed);
  const names = passed.map(({ name }) => name);
  emit({ event: "sockets-passed", names, addresses: sockets.map(({ address }) => address) });
  return sockets;
}
