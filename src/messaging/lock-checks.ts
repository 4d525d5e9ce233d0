/** Checks of what apps ask of locks: each throws ERR_CHOIR_LOCK, which says what was got. Used in the instance. */
import { ChoirError, quote } from "../errors.ts";
import { MAX_LOCK_NAME } from "./frames.ts";
import type { LockOptions, LockScope } from "./locks.ts";

function lockError(message: string): ChoirError {
  return new ChoirError("ERR_CHOIR_LOCK", message);
}

export function checkName(noun: string, name: string): void {
  if (typeof name !== "string") throw lockError(`${noun} must be a string, got ${quote(name)}`);
  const bytes = Buffer.byteLength(name);
  if (bytes === 0 || bytes > MAX_LOCK_NAME) {
    throw lockError(`${noun} must have 1 to ${MAX_LOCK_NAME} bytes, ${quote(name)} has ${bytes}`);
  }
  if (name.startsWith("-")) throw lockError(`${noun} ${quote(name)} begins with "-", which is kept for Choir's own`);
}

export function checkOptions(name: string, options: LockOptions): void {
  if (typeof options !== "object" || options === null) {
    throw lockError(`Options of lock ${quote(name)} must be an object, got ${quote(options)}`);
  }
  const { mode, ifAvailable = false, steal = false, signal, scope } = options;
  if (mode !== undefined && mode !== "exclusive" && mode !== "shared") {
    throw lockError(`mode of lock ${quote(name)} must be "exclusive" or "shared", got ${quote(mode)}`);
  }
  if (steal && (mode === "shared" || ifAvailable || signal !== undefined)) {
    throw lockError(`steal of lock ${quote(name)} goes neither with mode "shared" nor with ifAvailable or signal`);
  }
  if (ifAvailable && signal !== undefined) {
    throw lockError(`ifAvailable of lock ${quote(name)} does not go with signal: nothing is waited for`);
  }
  checkScope(name, scope);
}

export function checkScope(name: string, scope: LockScope | undefined): void {
  if (scope === undefined || scope === "app" || scope === "machine") return;
  throw lockError(`scope of ${quote(name)} must be "app" or "machine", got ${quote(scope)}`);
}

export function checkCallback(where: string, callback: unknown): void {
  if (typeof callback !== "function") throw lockError(`${where} takes a callback, got ${quote(callback)}`);
}
