/** Reads the arguments of `net.Server.listen()` in all their forms. Pure; runs in an instance of `choir start`. */
import path from "node:path";
import type { SocketWish } from "../protocol.ts";

/** What a call of `listen()` asks for. */
export interface ListenCall {
  /** Undefined: it names a descriptor or a handle, or is wrong: that is Node's own business. */
  readonly wish: SocketWish | undefined;
  /** The path as the app wrote it, for `address()`. */
  readonly path?: string;
  readonly callback: (() => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

interface ListenOptions {
  readonly port?: unknown;
  readonly host?: unknown;
  readonly path?: unknown;
  readonly exclusive?: unknown;
  readonly ipv6Only?: unknown;
  readonly readableAll?: unknown;
  readonly writableAll?: unknown;
  readonly signal?: AbortSignal;
}

/** Reads a call; `nextOrdinal` numbers the wishes for port 0. */
export function readListenCall(args: readonly unknown[], nextOrdinal: () => number): ListenCall {
  const last = args.at(-1);
  const callback = typeof last === "function" ? (last as () => void) : undefined;
  const [first, second] = args;
  const isOptions = typeof first === "object" && first !== null;
  const options: ListenOptions = isOptions ? first : positional(first, second);
  const { signal } = options;
  const none: ListenCall = { wish: undefined, callback, signal };
  if (isOptions && namesHandle(options)) return none;
  const port = portOf(options.port, "port" in options);
  // Node's word for "not shared between processes". Of a port by its number there is one, and some frameworks say it always.
  if (port === 0 && options.exclusive === true) return none;
  if (port !== undefined) {
    const { host, ipv6Only } = options;
    if (host !== undefined && host !== null && host !== "" && typeof host !== "string") return none;
    const ordinal = port === 0 ? nextOrdinal() : 0;
    return {
      ...none,
      wish: { kind: "tcp", host: host ? host : null, port, ordinal, ipv6Only: ipv6Only === true },
    };
  }
  const { path: file } = options;
  // An abstract socket has no file that could be shared by its name.
  if (typeof file !== "string" || file === "" || file.startsWith("\0") || options.port !== undefined) return none;
  const open = options.writableAll === true;
  return { ...none, path: file, wish: { kind: "unix", path: path.resolve(file), ...(open && { mode: 0o666 }) } };
}

function namesHandle(options: ListenOptions & { readonly fd?: unknown }): boolean {
  const hasDescriptor = typeof options.fd === "number" && options.fd >= 0;
  return hasDescriptor || "_handle" in options || "handle" in options;
}

/** `listen(port, host)`, `listen(path)` or `listen()`, which is any free port. */
function positional(first: unknown, second: unknown): ListenOptions {
  if (typeof first === "string" && portOf(first, false) === undefined) return { path: first };
  const port = first === undefined || first === null || typeof first === "function" ? 0 : first;
  return { port, host: typeof second === "string" ? second : undefined };
}

/** A port that is named and has no value is any free port, as in Node. */
function portOf(port: unknown, isNamed: boolean): number | undefined {
  if ((port === null || port === undefined) && isNamed) return 0;
  const isNumeral = typeof port === "string" && port.trim() !== "";
  if (typeof port !== "number" && !isNumeral) return undefined;
  const number = Number(port);
  return Number.isInteger(number) && number >= 0 && number <= 65_535 ? number : undefined;
}
