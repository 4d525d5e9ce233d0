/** Which sockets an app listens on: those that the service manager has passed, or else what its options say. Runs in the supervisor. */
import { systemClock } from "../clock.ts";
import type { ChoirEvent } from "../events.ts";
import type { ServiceManager } from "../options/service-manager.ts";
import type { Identity } from "./identity.ts";
import { adoptSockets, type BoundSocket, bindSockets, type SocketOptions } from "./sockets.ts";

export interface OpenSocketsSetup {
  readonly serviceManager: ServiceManager;
  readonly options: SocketOptions;
  readonly identity: Identity | undefined;
}

/** Opens them, and says where they are from when that is not the options. Errors come out as ChoirError. */
export async function openSockets(
  { serviceManager, options, identity }: OpenSocketsSetup,
  emit: (event: ChoirEvent) => void,
): Promise<readonly BoundSocket[]> {
  const { sockets: passed, strangerPid } = serviceManager;
  if (strangerPid !== undefined) emit({ event: "sockets-for-another", pid: strangerPid });
  if (passed.length === 0) return bindSockets({ ...options, owner: identity }, systemClock);
  const sockets = adoptSockets(passed);
  const names = passed.map(({ name }) => name);
  emit({ event: "sockets-passed", names, addresses: sockets.map(({ address }) => address) });
  return sockets;
}
