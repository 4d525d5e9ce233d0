/** What all clients have in common: where they ask, how long they wait, and how they rest. Runs in the test's process. */
import net from "node:net";
import tls from "node:tls";
import { CutShort, Hung, type Journal } from "./journal.ts";

/** A program under load, as its clients reach it. */
export interface Target {
  /** `http://127.0.0.1:34567`; for a Unix socket the host is made up. */
  readonly origin: string;
  readonly socketPath?: string;
  /** Set for https. */
  readonly ca?: Buffer;
  /** Whether it speaks HTTP/2 too. */
  readonly http2?: boolean;
}

/** What one client works with. */
export interface Work {
  readonly name: string;
  readonly target: Target;
  readonly journal: Journal;
  /** Its own dice. */
  readonly random: () => number;
  /** Set when it is not to begin anything new. */
  readonly stopped: AbortSignal;
}

/** Asks until it is stopped, notes what it saw, and never rejects for a lost request. */
export type Client = (work: Work) => Promise<void>;

/** How long a request may take before it counts as hung: it is meant for an answer that never comes, not for a slow one. */
export const DEADLINE_MS = 12_000;
/** The size of Puma's own test of this kind, about: more than one read of a socket. */
export const BODY = Buffer.from("0123456789abcdef".repeat(1016));
/** How long a client rests whose request was lost: a server that refuses must not be asked in a tight loop. */
const AFTER_FAILURE_MS = 20;

/** Repeats a request with pauses until the client is stopped. `pid` tells who gave the connection's last answer. */
export async function repeat(
  work: Work,
  pause: readonly [min: number, max: number],
  options: { request: () => Promise<void>; pid?: () => number | undefined },
): Promise<void> {
  const [min, max] = pause;
  // Else all clients would begin at once.
  await rest(work, max * work.random());
  while (!work.stopped.aborted) {
    const pid = options.pid?.();
    try {
      await options.request();
      work.journal.answered(work.name);
      await rest(work, min + (max - min) * work.random());
    } catch (error) {
      work.journal.failed(work.name, error, pid);
      await rest(work, AFTER_FAILURE_MS);
    }
  }
}

/** Waits, or less when the client is stopped meanwhile. */
export function rest({ stopped }: Work, ms: number): Promise<void> {
  if (stopped.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const over = (): void => {
      clearTimeout(timer);
      stopped.removeEventListener("abort", over);
      resolve();
    };
    const timer = setTimeout(over, ms);
    stopped.addEventListener("abort", over);
  });
}

/** Gives a request its deadline; `giveUp` ends what is left of it. */
export async function byDeadline<T>(promise: Promise<T>, what: string, giveUp?: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Hung(`no ${what} in ${DEADLINE_MS} ms`)), DEADLINE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } catch (error) {
    giveUp?.();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** What Node's http, https and ws need to reach the target. */
export function connectOptions({ origin, socketPath, ca }: Target): {
  host?: string;
  port?: number;
  socketPath?: string;
  ca?: Buffer;
  servername?: string;
} {
  const trusting = ca === undefined ? {} : { ca, servername: "localhost" };
  if (socketPath !== undefined) return { socketPath, ...trusting };
  const { hostname, port } = new URL(origin);
  return { host: hostname, port: Number(port), ...trusting };
}

/** A connection of one's own, below HTTP. */
export function connect(target: Target): net.Socket {
  const { socketPath, host, port = 0, ...trusting } = connectOptions(target);
  const where = socketPath === undefined ? { port, host: host! } : { path: socketPath };
  return target.ca === undefined ? net.connect(where) : tls.connect({ ...where, ...trusting });
}

/** The path of a request that some of the time takes a while, so that whenever a drain begins some are in flight. */
export function echoPath(random: () => number): string {
  return random() < 0.3 ? `/echo?delay=${Math.round(5 + 45 * random())}` : "/echo";
}

/** Fails unless the answer is the whole echo of what was sent. */
export function checkEcho(status: number | undefined, body: Buffer, sent: Buffer = BODY): void {
  if (status !== 200) throw new CutShort(`status ${status}: ${body.toString("utf8", 0, 200)}`);
  if (!body.equals(sent)) throw new CutShort(`${body.length} bytes of an echo of ${sent.length}`);
}
