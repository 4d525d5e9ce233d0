/**
 * Binds the listening sockets, once, in the supervisor, which never listens nor accepts: instances inherit the descriptors and
 * listen (src/http/server.ts). The only file that touches `net._createServerHandle`.
 */
import type { SendHandle } from "node:child_process";
import { existsSync, fstatSync, lchownSync, lstatSync, statSync, unlinkSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { getSystemErrorName } from "node:util";
import { type Clock } from "../clock.ts";
import { readText, type ReadText } from "../control-groups.ts";
import { ChoirError, quote } from "../errors.ts";
import type { PassedSocket } from "../options/service-manager.ts";
import type { ResolvedOptions } from "../options/table.ts";
import { type Endpoint, formatTcp, resolveEndpoints } from "./addresses.ts";

/** A socket that is bound, and listens only if it was passed so. Connections are refused until the first instance listens, queued from then on. */
export interface BoundSocket {
  /** The descriptor's number in the supervisor. */
  readonly fd: number;
  /** What an instance can be sent by IPC. */
  readonly handle: SendHandle;
  /** `127.0.0.1:3000`, `[::]:3000` or `unix:/run/app.sock`. */
  readonly address: string;
  /** Only of a Unix socket: whether its file is still this socket's. */
  isThere?(): boolean;
  /** Gives the address back; removes a Unix socket's file if it is still this socket's. */
  close(): void;
}

export interface SocketOptions extends Pick<ResolvedOptions, "address" | "port" | "socketMode" | "bindRetry"> {
  /** Whose Unix sockets' files are to be; by default the supervisor's. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** Whether `::` is to be left to IPv6 alone. */
  readonly ipv6Only?: boolean;
}

/** The part of libuv's handle that is used here. It does not keep the process alive: it is bound, not active. */
interface ServerHandle {
  readonly fd: number;
  close(): void;
  getsockname?(out: { address?: string; port?: number }): number;
  getpeername?(out: object): number;
}

/** Address or path, port, 4 or 6 (-1 and -1 for a Unix socket), descriptor, flags: a handle, or libuv's error number. */
type CreateServerHandle = (address: string, port: number, ...rest: CreateRest) => ServerHandle | number;
type CreateRest = readonly [addressType: number, fd?: number | undefined, flags?: number];
const createServerHandle = (net as unknown as { _createServerHandle: CreateServerHandle })._createServerHandle;

/** libuv's flag. */
const IPV6_ONLY = 1;
const RETRY_EVERY_MS = 100;

/** Binds every address of the options; either all of them or, with an error that says which one failed and why, none. */
export async function bindSockets(options: SocketOptions, clock: Clock): Promise<BoundSocket[]> {
  const deadline = clock.now() + options.bindRetry;
  const bound: BoundSocket[] = [];
  try {
    for (const address of options.address) {
      const endpoints = await resolveEndpoints(address);
      bound.push(...(await bindAddress(endpoints, { options, clock, deadline })));
    }
    return bound;
  } catch (error) {
    for (const socket of bound) socket.close();
    throw error;
  }
}

interface BindContext {
  readonly options: SocketOptions;
  readonly clock: Clock;
  /** On the clock: when to stop waiting for an address that is in use. */
  readonly deadline: number;
}

/** Binds all addresses of one host name; with port 0 they share the port that the first one got. */
async function bindAddress(endpoints: readonly Endpoint[], context: BindContext): Promise<BoundSocket[]> {
  const bound: BoundSocket[] = [];
  let port = context.options.port;
  try {
    for (const endpoint of endpoints) {
      if (endpoint.kind === "unix") {
        bound.push(await retrying(context, () => bindUnix(endpoint.path, context.options)));
        continue;
      }
      // A name such as localhost may stand for an address this machine does not have (IPv6 switched off): one suffices.
      const optional = bound.length > 0;
      const socket = await retrying(context, () =>
        bindTcp(endpoint, port, { optional, ipv6Only: context.options.ipv6Only ?? false }),
      );
      if (socket === undefined) continue;
      bound.push(socket);
      port = socket.port;
    }
    return bound;
  } catch (error) {
    for (const socket of bound) socket.close();
    throw error;
  }
}

/** Tries again while the address is in use and the deadline has not passed: a predecessor may be on its way out. */
async function retrying<T>(context: BindContext, bind: () => T | Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await bind();
    } catch (error) {
      const inUse = error instanceof ChoirError && error.code === "ERR_CHOIR_ADDRESS_IN_USE";
      if (!inUse || context.clock.now() >= context.deadline) throw error;
      await new Promise<void>((resolve) => {
        // A timer of its own: the clock's do not keep the process alive, and nothing else does yet.
        setTimeout(resolve, RETRY_EVERY_MS);
      });
    }
  }
}

/** Takes up the listening sockets that a service manager has bound; their files, if any, are its own. */
export function adoptSockets(passed: readonly PassedSocket[], read: ReadText = readText): BoundSocket[] {
  return passed.map((socket) => {
    const handle = openHandle(socket);
    const address = tcpAddressOf(handle) ?? unixAddressOf(socket, read);
    return { fd: handle.fd, handle: handle as unknown as SendHandle, address, close: () => handle.close() };
  });
}

function openHandle(socket: PassedSocket): ServerHandle {
  // Given a descriptor, it binds nothing and takes over what is there, if that is a TCP socket, a Unix one or a pipe.
  const handle = createServerHandle("", 0, 0, socket.fd);
  if (typeof handle === "number" || handle.getpeername?.({}) === 0) throw passedError(socket);
  return handle;
}

function tcpAddressOf(handle: ServerHandle): string | undefined {
  const name: { address?: string; port?: number } = {};
  if (handle.getsockname?.(name) !== 0 || name.address === undefined || name.port === undefined) return undefined;
  return formatTcp(name.address, name.port);
}

/** __SO_ACCEPTCON of the kernel: the socket listens. */
const LISTENS = 0x1_00_00;

/** libuv does not tell a Unix socket's path: it is in the kernel's list (proc(5)), by the socket's number. */
function unixAddressOf(socket: PassedSocket, read: ReadText): string {
  const stats = fstatSync(socket.fd);
  const lines = (read("/proc/net/unix") ?? "").split("\n").map((line) => line.trim().split(/\s+/));
  const found = lines.find((fields) => fields[6] === String(stats.ino));
  const flags = Number.parseInt(found?.[3] ?? LISTENS.toString(16), 16);
  if (!stats.isSocket() || (flags & LISTENS) === 0) throw passedError(socket);
  // A socket of another network namespace is not in the list.
  return `unix:${found?.[7] ?? socket.name}`;
}

function passedError({ fd, name }: PassedSocket): ChoirError {
  return new ChoirError(
    "ERR_CHOIR_ADDRESS",
    `Socket ${quote(name)} of the service manager (descriptor ${fd}) is no listening stream socket`,
    { hint: "The .socket unit needs ListenStream= and must not have Accept=yes" },
  );
}

function bindTcp(
  endpoint: Endpoint & { kind: "tcp" },
  port: number,
  { optional, ipv6Only }: { readonly optional: boolean; readonly ipv6Only: boolean },
): (BoundSocket & { port: number }) | undefined {
  const { host, family } = endpoint;
  const handle = createServerHandle(host, port, family, undefined, ipv6Only && family === 6 ? IPV6_ONLY : 0);
  if (typeof handle === "number") {
    const code = getSystemErrorName(handle);
    if (optional && (code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT")) return undefined;
    throw bindError(formatTcp(host, port), code);
  }
  const name: { address?: string; port?: number } = {};
  // libuv keeps EADDRINUSE of a TCP bind for later; this is where it shows.
  const status = handle.getsockname?.(name) ?? 0;
  if (status !== 0 || name.port === undefined) {
    handle.close();
    throw bindError(formatTcp(host, port), getSystemErrorName(status));
  }
  return {
    fd: handle.fd,
    handle: handle as unknown as SendHandle,
    port: name.port,
    address: formatTcp(host, name.port),
    close: () => handle.close(),
  };
}

async function bindUnix(file: string, { socketMode: mode, owner }: SocketOptions): Promise<BoundSocket> {
  await removeStaleSocket(file);
  // The umask, not a chmod afterwards: between bind and chmod anybody could connect.
  const umask = process.umask(0o777 & ~mode);
  let handle: ServerHandle | number;
  try {
    handle = createServerHandle(file, -1, -1);
  } finally {
    process.umask(umask);
  }
  if (typeof handle === "number") throw bindError(`unix:${file}`, unixErrorCode(file, getSystemErrorName(handle)));
  const ours = handle;
  if (owner !== undefined) lchownSync(file, owner.uid, owner.gid);
  const inode = statSync(file).ino;
  return {
    fd: ours.fd,
    handle: ours as unknown as SendHandle,
    address: `unix:${file}`,
    isThere: () => inodeOf(file) === inode,
    close() {
      // libuv unlinks the path when the handle is closed, even if a successor has bound it anew meanwhile.
      if (inodeOf(file) === inode) ours.close();
    },
  };
}

/** libuv reports a missing folder as EACCES, as Windows does. */
function unixErrorCode(file: string, code: string): string {
  const folder = path.dirname(file);
  return code === "EACCES" && !existsSync(folder) ? "ENOENT" : code;
}

function inodeOf(file: string): number | undefined {
  return lstatSync(file, { throwIfNoEntry: false })?.ino;
}

/** Removes a socket file whose process is gone, which a refused connection shows; anything else at the path is left alone. */
async function removeStaleSocket(file: string): Promise<void> {
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) {
    const what = found.isDirectory()
      ? "a directory"
      : found.isSymbolicLink()
        ? "a symbolic link"
        : "a file that is no socket";
    throw new ChoirError("ERR_CHOIR_ADDRESS", `--address ${quote(`unix:${file}`)} is ${what}`, {
      hint: "Choose another path, or remove what is there; Choir replaces only stale sockets",
    });
  }
  const code = await connectionError(file);
  if (code === undefined || code === "EAGAIN") throw bindError(`unix:${file}`, "EADDRINUSE");
  if (code !== "ECONNREFUSED") throw bindError(`unix:${file}`, code);
  unlinkSync(file);
}

function connectionError(file: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect(file);
    socket.once("connect", () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "EUNKNOWN"));
  });
}

/** Says what a failed bind means. The same words serve an instance whose `listen` met EADDRINUSE. */
function bindError(address: string, code: string): ChoirError {
  const shown = quote(address);
  // Whoever asked in an app's name passes the system's code on.
  const cause = Object.assign(new Error(code), { code });
  if (code === "EADDRINUSE") {
    return new ChoirError("ERR_CHOIR_ADDRESS_IN_USE", `Address ${shown} is already in use by another process`, {
      hint: address.startsWith("unix:")
        ? "Stop the program that listens there, or choose another --address"
        : "Stop the program that listens there (ss -ltnp shows it), or choose another --port",
      cause,
    });
  }
  const reasons: Record<string, readonly [string, string]> = {
    EADDRNOTAVAIL: [
      "is not an address of this machine",
      "Use 127.0.0.1, 0.0.0.0 for all interfaces, or what `ip address` lists",
    ],
    EACCES: [
      "may not be bound by this user",
      "Choose a port above 1023 or a folder that is yours, or grant the right (CAP_NET_BIND_SERVICE)",
    ],
    EPERM: ["may not be bound by this user", "Choose a port above 1023, or grant the right (CAP_NET_BIND_SERVICE)"],
    ENOENT: ["is in a folder that does not exist", "Create the folder, or choose another path"],
    ENOTDIR: ["is in something that is no folder", "Choose another path"],
    EROFS: ["is on a file system that cannot be written", "Choose another path, for example below /run"],
    EAFNOSUPPORT: ["is of a family that this machine does not support", "Use an IPv4 address"],
  };
  const [what, hint] = reasons[code] ?? [`cannot be bound (${code})`, "Choose another --address or --port"];
  return new ChoirError("ERR_CHOIR_ADDRESS", `Address ${shown} ${what}`, { hint, cause });
}
