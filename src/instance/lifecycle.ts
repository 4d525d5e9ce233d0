/**
 * The instance's side of the control messages: says when it is ready, cannot start or wants to leave, and hears when to drain.
 * Runs in the instance; its other side is src/supervisor/instance.ts.
 */
import { inspect } from "node:util";
import { ChoirError, describeThrown } from "../errors.ts";
import {
  type Answer,
  type Declaration,
  type DrainReason,
  isControlMessage,
  type OpenRequest,
  type SentError,
  type ToInstance,
  type ToSupervisor,
} from "../protocol.ts";
import type { Heartbeat } from "./heartbeat.ts";

/** How long the last message may take to leave before the process ends without it. */
const SEND_DEADLINE_MS = 1000;

export class Lifecycle {
  /** Resolved when it is time to drain: the supervisor said so, or it is gone. */
  readonly drainOrdered: Promise<DrainReason>;
  /** Resolved when the app called `ready()`, for `ready: "manual"`. */
  readonly markedReady: Promise<void>;
  markReady!: () => void;
  /** Makes of what was thrown at the start what is said of it. */
  explain: (thrown: unknown) => unknown = (thrown) => thrown;
  readonly #exit: (code: number) => void;
  #letGo: (connections: number) => void = () => {};
  #hasBeenReady = false;
  #hasFailed = false;

  constructor({ exit }: { exit: (code: number) => void }) {
    this.#exit = exit;
    this.markedReady = new Promise((resolve) => {
      this.markReady = resolve;
    });
    this.drainOrdered = new Promise((resolve) => {
      process.on("message", (message: unknown) => {
        if (!isControlMessage(message)) return;
        const control = message as ToInstance;
        if (control.choir === "drain") resolve(control.reason);
        else if (control.choir === "let-go") this.#letGo(control.connections);
      });
      // The supervisor is gone, however it ended: nobody else will tell this process to go.
      process.once("disconnect", () => resolve("stop"));
      // It may have gone while Node started, before anybody could listen for that.
      if (!process.connected) resolve("stop");
      // A signal of its own, since the terminal's does not reach it: somebody wants this one process away, not its service.
      for (const signal of ["SIGTERM", "SIGINT"] as const) {
        process.on(signal, () => {
          if (this.#hasBeenReady) this.#send({ choir: "leaving", reason: "left" });
          else resolve("stop");
        });
      }
    });
  }

  get hasBeenReady(): boolean {
    return this.#hasBeenReady;
  }

  /** Says that it listens. */
  ready(): void {
    this.#hasBeenReady = true;
    this.#send({ choir: "ready" });
  }

  /** Says that clients are offered HTTP/1.1 only, in spite of --http2. */
  http1Only(app: string): void {
    this.#send({ choir: "http1-only", app });
  }

  /** Calls `letGo` when the supervisor wants some connections to go. */
  onLetGo(letGo: (connections: number) => void): void {
    this.#letGo = letGo;
  }

  /** Says what its copy of the code gives to the Runner. */
  declare(declaration: Declaration): void {
    this.#send({ choir: "declared", ...declaration });
  }

  /** Says why it cannot start, and ends the process. */
  fail(thrown: unknown): void {
    // What a failed start throws afterwards is not why it failed.
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    const error = this.explain(thrown);
    const final = error instanceof ChoirError && error.exitCode === 78;
    const exit = (): void => this.#exit(final ? 78 : 1);
    this.#send({ choir: "start-failed", error: toSent(error), final }, exit);
    setTimeout(exit, SEND_DEADLINE_MS);
  }

  /** Says that it has failed and is to be replaced; until it is told to drain it serves on. */
  failed(): void {
    process.exitCode = 1;
    this.#send({ choir: "leaving", reason: "uncaught" });
  }

  /** Says which requests it still waits for. */
  reportOpen(requests: readonly OpenRequest[]): void {
    this.#send({ choir: "open-requests", requests });
  }

  /** Says that the loop turns, and what the process does; `sent` is called when the message has left it. */
  beat(beat: Heartbeat, sent: () => void): void {
    this.#send({ choir: "heartbeat", ...beat }, sent);
  }

  /** Sends a part of an answer to what the supervisor asked. */
  answer(answer: Answer): void {
    this.#send(answer);
  }

  /** Lets go of all that holds the process, so that code after `run()` may still finish; ends it when that takes too long. */
  leave(patienceMs: number): void {
    if (process.connected) process.disconnect();
    setTimeout(() => this.#exit(Number(process.exitCode ?? 0)), patienceMs).unref();
  }

  #send(message: ToSupervisor, sent?: () => void): void {
    if (!process.connected || process.send === undefined) {
      sent?.();
      return;
    }
    process.send(message, undefined, undefined, () => sent?.());
  }
}

/** Where Choir only says what is wrong with a file, the stack of interest is that of the file's own error. */
function whatHappened(thrown: Error): string {
  const isVerdict = thrown instanceof ChoirError && thrown.code === "ERR_CHOIR_MODULE";
  if (!isVerdict) return inspect(thrown);
  return thrown.cause === undefined ? thrown.message : inspect(thrown.cause);
}

function toSent(thrown: unknown): SentError {
  const code = (thrown as { code?: unknown } | null | undefined)?.code;
  return {
    name: thrown instanceof Error ? thrown.name : typeof thrown,
    message: describeThrown(thrown),
    text: thrown instanceof Error ? whatHappened(thrown) : `Thrown: ${inspect(thrown)}`,
    ...(typeof code === "string" ? { code } : {}),
    ...(thrown instanceof ChoirError && thrown.hint !== undefined ? { hint: thrown.hint } : {}),
  };
}
