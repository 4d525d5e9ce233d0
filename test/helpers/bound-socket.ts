/** Sockets bound but not listening, as the supervisor hands them to its instances; here within one process. */
import net from "node:net";

interface Handle {
  readonly fd: number;
  getsockname(out: { port?: number }): number;
}

type CreateHandle = (
  ...args: [address: string, port: number, family: 4, fd: undefined, flags: number]
) => Handle | number;

// Closing a handle would close a descriptor that a server has closed already: they are kept until the process ends.
const kept: Handle[] = [];

/** Binds a port of 127.0.0.1, 0 for any. */
export function bindSocket(port = 0): { fd: number; port: number } {
  const create = (net as unknown as { _createServerHandle: CreateHandle })._createServerHandle;
  const handle = create("127.0.0.1", port, 4, undefined, 0);
  if (typeof handle === "number") throw new Error(`cannot bind: ${handle}`);
  kept.push(handle);
  const name: { port?: number } = {};
  handle.getsockname(name);
  return { fd: handle.fd, port: name.port ?? 0 };
}
