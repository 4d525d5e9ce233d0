/** The two errors about an address that cannot be had: Node's for the app, and Choir's for people. Pure; runs in the instance. */
import { constants } from "node:os";
import { ChoirError, type ErrorCode, ERRORS } from "../errors.ts";
import type { RefusedSocket, SocketWish } from "../protocol.ts";

/** Makes both. */
export function refusalError(
  { code, message, hint, system }: RefusedSocket,
  wish: SocketWish | undefined,
): { error: Error; ours: ChoirError } {
  const known = code in ERRORS ? (code as ErrorCode) : "ERR_CHOIR_ADDRESS";
  const ours = new ChoirError(known, message, { hint });
  const place = placeOf(wish);
  const sentence =
    system === "EADDRINUSE" ? "address already in use" : system === "EACCES" ? "permission denied" : message;
  const where =
    "path" in place ? place.path : [place.address, place.port].filter((part) => part !== undefined).join(":");
  const errno = -(constants.errno as Readonly<Record<string, number>>)[system]!;
  const error = new Error(`listen ${system}: ${sentence} ${where}`, { cause: ours });
  return { error: Object.assign(error, { code: system, errno, syscall: "listen", ...place }), ours };
}

type Place =
  | { readonly address?: string; readonly port?: number }
  | { readonly path: string; readonly address: string; readonly port: number };

/** As Node's own errors have it. */
function placeOf(wish: SocketWish | undefined): Place {
  if (wish?.kind === "unix") return { path: wish.path, address: wish.path, port: -1 };
  return wish?.kind === "tcp" ? { address: wish.host ?? "::", port: wish.port } : {};
}
