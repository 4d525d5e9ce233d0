/** Reads what --address was given and resolves host names to addresses that can be bound. Used in the supervisor. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import path from "node:path";
import { ChoirError, describeThrown, quote } from "../errors.ts";

/** One thing to bind. */
export type Endpoint =
  | { readonly kind: "tcp"; readonly host: string; readonly family: 4 | 6 }
  | { readonly kind: "unix"; readonly path: string };

/** Longest path that fits sockaddr_un on Linux (108 with the closing NUL) and macOS (104). */
const MAX_UNIX_PATH = process.platform === "linux" ? 107 : 103;

/**
 * Resolves one value of --address: an IP address (brackets allowed), `unix:/path`, or a host name, which stands for all
 * addresses it has, as people expect of `localhost`.
 */
export async function resolveEndpoints(address: string): Promise<Endpoint[]> {
  if (address.startsWith("unix:")) return [unixEndpoint(address.slice("unix:".length), address)];
  const host = /^\[(.+)\]$/.exec(address)?.[1] ?? address;
  const family = isIP(host.replace(/%.*$/, ""));
  if (family === 4 || family === 6) return [{ kind: "tcp", host, family }];
  if (/[\s/]|:\d+$/.test(host) || host === "") {
    throw new ChoirError(
      "ERR_CHOIR_ADDRESS",
      `--address must be an IP address, a host name or unix:/path, got ${quote(address)}`,
      {
        hint: host.includes(":") ? "The port has its own option: --port" : undefined,
      },
    );
  }
  const found = await lookup(host, { all: true }).catch((error: unknown) => {
    throw new ChoirError(
      "ERR_CHOIR_ADDRESS",
      `--address ${quote(address)} cannot be resolved: ${describeThrown(error)}`,
      {
        cause: error,
        hint: "Use an address of this machine, for example 127.0.0.1, or 0.0.0.0 for all of them",
      },
    );
  });
  return found.map((entry) => ({ kind: "tcp", host: entry.address, family: entry.family === 6 ? 6 : 4 }));
}

function unixEndpoint(file: string, address: string): Endpoint {
  if (file === "") {
    throw new ChoirError(
      "ERR_CHOIR_ADDRESS",
      `--address ${quote(address)} lacks a path, for example unix:/run/app.sock`,
    );
  }
  const absolute = path.resolve(file);
  if (Buffer.byteLength(absolute) > MAX_UNIX_PATH) {
    throw new ChoirError(
      "ERR_CHOIR_ADDRESS",
      `--address ${quote(address)} is too long for a Unix socket: at most ${MAX_UNIX_PATH} bytes, got ${Buffer.byteLength(absolute)}`,
      { hint: "Choose a shorter path, for example below /run" },
    );
  }
  return { kind: "unix", path: absolute };
}

/** How a bound TCP address is written: `127.0.0.1:3000`, `[::1]:3000`. */
export function formatTcp(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
