/** Errors that travel from the instance in which they were thrown to the one that asked. Used in the instance. */
import { describeThrown } from "../errors.ts";
import { MAX_OUTCOME_BYTES } from "./frame-types.ts";
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

/** Longer texts are cut, the second time when control characters have made a text six times as long: an error must always fit. */
const MOST_CHARACTERS = [8192, 1024];

/** Makes what travels of anything thrown, at most `MAX_OUTCOME_BYTES`; never throws. */
export function encodeError(thrown: unknown): string {
  let text = "";
  for (const most of MOST_CHARACTERS) {
    text = JSON.stringify(describeError(thrown, most));
    if (Buffer.byteLength(text) <= MAX_OUTCOME_BYTES) break;
  }
  return text;
}

function describeError(thrown: unknown, most: number): SentRemoteError {
  const textOf = (property: string): string | undefined => {
    const value = isError(thrown) ? read(thrown, property) : undefined;
    return typeof value === "string" ? value.slice(0, most) : undefined;
  };
  const code = read(thrown, "code");
  const stack = textOf("stack");
  return {
    name: textOf("name") ?? "Error",
    message: describeThrown(thrown).slice(0, most),
    ...(typeof code === "string" ? { code: code.slice(0, most) } : typeof code === "number" ? { code } : {}),
    ...(stack !== undefined && { stack }),
  };
}

function isError(thrown: unknown): boolean {
  try {
    return thrown instanceof Error;
  } catch {
    return false;
  }
}

/** A property of anything: a getter or a proxy may throw. */
function read(thrown: unknown, property: string): unknown {
  try {
    return (thrown as Record<string, unknown> | null | undefined)?.[property];
  } catch {
    return undefined;
  }
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
