/** Listens on a port of the supervisor's own, for --metrics and --dashboard: where, until when, and what is said when it cannot be. */
import type { Server } from "node:http";
import { isIP } from "node:net";
import { ChoirError, describeThrown, quote } from "../errors.ts";
import { optionError } from "../options/origin.ts";

export interface Endpoint {
  /** An address without brackets, or a host name. */
  readonly host: string;
  readonly port: number;
}

/** Whose address it is: `--metrics` has `--metrics-address`. */
export interface PortOwner {
  /** What may be left away instead. */
  readonly flag: "--metrics" | "--dashboard";
  /** What its address option says. */
  readonly address: string;
}

export interface ListenOptions extends PortOwner {
  /** For how long it is tried again while the address is in use, in milliseconds. */
  readonly retryMs: number;
}

/** Reads `host:port`; an IPv6 address has brackets. Throws ERR_CHOIR_OPTION. */
export function readEndpoint({ flag, address }: PortOwner): Endpoint {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:\s/[\]]+)):(\d{1,5})$/.exec(address) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host !== undefined && port <= 65_535 && (bracketed === undefined || isIP(bracketed) === 6)) return { host, port };
  const example = flag === "--metrics" ? 9464 : 9465;
  throw optionError(
    `${flag}-address must be an address and a port, for example 127.0.0.1:${example} or [::1]:${example}, got ${quote(address)}`,
  );
}

/** Whether only this machine reaches what listens there. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/** Listens; resolved with the URL without path: `http://127.0.0.1:9464`. The process's life does not depend on it. */
export async function listenOnPort(server: Server, options: ListenOptions): Promise<string> {
  const { host, port } = readEndpoint(options);
  const deadline = performance.now() + options.retryMs;
  for (;;) {
    const error = await listenOnce(server, host, port);
    if (error === undefined) break;
    const inUse = error.code === "EADDRINUSE";
    if (!inUse || performance.now() >= deadline) throw addressError(options, error);
    await new Promise<void>((resolve) => {
      setTimeout(resolve, RETRY_EVERY_MS);
    });
  }
  server.unref();
  const bound = server.address();
  const at = typeof bound === "object" && bound !== null ? bound.port : port;
  return `http://${host.includes(":") ? `[${host}]` : host}:${at}`;
}

const RETRY_EVERY_MS = 100;

function listenOnce(server: Server, host: string, port: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    server.once("error", resolve);
    server.listen({ host, port }, () => {
      server.off("error", resolve);
      resolve(undefined);
    });
  });
}

function addressError({ flag, address }: PortOwner, error: NodeJS.ErrnoException): ChoirError {
  const inUse = error.code === "EADDRINUSE";
  const what = inUse ? "is already in use by another process" : `cannot be listened on: ${describeThrown(error)}`;
  return new ChoirError(
    inUse ? "ERR_CHOIR_ADDRESS_IN_USE" : "ERR_CHOIR_ADDRESS",
    `${flag}-address ${quote(address)} ${what}`,
    { cause: error, hint: `Choose another ${flag}-address, or leave ${flag} away` },
  );
}
