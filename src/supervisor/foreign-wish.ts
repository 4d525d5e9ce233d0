/**
 * What a supervisor that is root does not bind for instances that are not (--user): they ask by IPC, and whoever has taken one over must
 * not have a privileged port or a file anywhere by it. Pure; used in the supervisor of `choir start`.
 */
import path from "node:path";
import { ChoirError, quote } from "../errors.ts";
import type { SocketWish } from "../protocol.ts";
import type { SocketOptions } from "./sockets.ts";

const LOWEST_FREE_PORT = 1024;
/** What --user is for. */
const WEB_PORTS: ReadonlySet<number> = new Set([80, 443]);

/** Throws ERR_CHOIR_ADDRESS for what the options do not name and an instance's user could not bind itself. */
export function checkForeignWish(wish: SocketWish, { address, port, owner }: SocketOptions): void {
  if (owner === undefined || wish.kind === "default") return;
  if (wish.kind === "unix") {
    const isNamed = address.some((one) => one.startsWith("unix:") && path.resolve(one.slice(5)) === wish.path);
    if (!isNamed) throw refusal(`unix:${wish.path}`, `-a unix:${wish.path}`);
  } else if (wish.port > 0 && wish.port < LOWEST_FREE_PORT && wish.port !== port && !WEB_PORTS.has(wish.port)) {
    throw refusal(`port ${wish.port}`, `-p ${wish.port}`);
  }
}

function refusal(what: string, option: string): ChoirError {
  return new ChoirError("ERR_CHOIR_ADDRESS", `The app may not have ${quote(what)} bound for it by root (--user)`, {
    hint: `Name it on the command line: ${option}`,
    cause: Object.assign(new Error("EACCES"), { code: "EACCES" }),
  });
}
