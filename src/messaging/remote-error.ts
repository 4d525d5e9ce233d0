/** Errors that travel from the instance in which they were thrown to the one that asked. Used in the instance. */
import { describeThrown } from "../errors.ts";
import type { Member } from "./lock-authority.ts";

/** What was thrown in another instance: its name, message, code and stack, but not its class. */
export class RemoteError extends Error {
  /** The `code` of the error, when it had one. */
  readonly code: string | number | undefined;
  /** Where it was thrown. */
  readonly from: Member | undefined;

  constructor({ name, message, code, stack }: SentRemoteError, from?: Member) {
    super(message);
    // Not enumerable, as an Error's own: else every log line would have them twice.
    Object.defineProperty(this, "name", { value: name, configurable: true, writable: true });
    if (stack !== undefined) Object.defineProperty(this, "stack", { value: stack, configurable: true, writable: true });
    this.code = code;
    this.from = from;
  }
}

/** An error as it travels. */
export interface SentRemoteError {
  readonly name: string;
  readonly message: string;
  readonly code?: string | number;
  readonly stack?: string;
}

/** Longer texts are cut: an error must always fit into a frame. */
const MOST_CHARACTERS = 8192;

/** Makes what travels of anything thrown. */
export function encodeError(thrown: unknown): string {
  const isError = thrown instanceof Error;
  const code = (thrown as { code?: unknown } | null | undefined)?.code;
  const sent: SentRemoteError = {
    name: isError && typeof thrown.name === "string" ? cut(thrown.name) : "Error",
    message: cut(describeThrown(thrown)),
    ...(typeof code === "string" ? { code: cut(code) } : typeof code === "number" ? { code } : {}),
    ...(isError && typeof thrown.stack === "string" ? { stack: cut(thrown.stack) } : {}),
  };
  return JSON.stringify(sent);
}

/** Makes the error of what travelled; of anything, since the other side may be of another make. */
export function decodeError(sent: unknown, from?: Member): RemoteError {
  const { name, message, code, stack } =
    typeof sent === "object" && sent !== null ? (sent as Partial<SentRemoteError>) : {};
  return new RemoteError(
    {
      name: typeof name === "string" ? name : "Error",
      message: typeof message === "string" ? message : String(sent),
      ...(typeof code === "string" || typeof code === "number" ? { code } : {}),
      ...(typeof stack === "string" ? { stack } : {}),
    },
    from,
  );
}

function cut(text: string): string {
  return text.slice(0, MOST_CHARACTERS);
}
