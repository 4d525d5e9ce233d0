/**
 * Sees what is written on a socket as an answer that no response object makes: to an upgrade, or to what never became a request. Runs in the
 * instance, for the access log only.
 */
import type { Duplex } from "node:stream";

export interface RawAnswer {
  /** Undefined as long as nothing was written, or something that is no answer of HTTP/1. */
  readonly status: number | undefined;
  /** How long the head was that came with the first write. */
  readonly headBytes: number;
}

const STATUS = /^HTTP\/1\.[01] (\d{3})\b/;
const HEAD_END = "\r\n\r\n";

/** Looks at the first thing that is written on the socket from now on, and calls back when that comes. */
export function watchRawAnswer(socket: Duplex, onAnswer: () => void = () => {}): RawAnswer {
  let answer: RawAnswer | undefined;
  for (const name of ["write", "end"] as const) {
    const original = socket[name] as (...args: unknown[]) => unknown;
    const watching = (...args: unknown[]): unknown => {
      const [chunk] = args;
      if (answer === undefined && (typeof chunk === "string" || chunk instanceof Uint8Array)) {
        answer = readAnswer(chunk);
        onAnswer();
      }
      return Reflect.apply(original, socket, args);
    };
    Object.assign(socket, { [name]: watching });
  }
  return {
    get status() {
      return answer?.status;
    },
    get headBytes() {
      return answer?.headBytes ?? 0;
    },
  };
}

function readAnswer(chunk: string | Uint8Array): RawAnswer {
  const text = typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("latin1");
  const status = STATUS.exec(text)?.[1];
  if (status === undefined) return { status: undefined, headBytes: 0 };
  const end = text.indexOf(HEAD_END);
  return { status: Number(status), headBytes: end === -1 ? text.length : end + HEAD_END.length };
}
