/**
 * Sends messages to the service manager in their order (sd_notify(3)), each by the program systemd-notify: Node cannot send Unix
 * datagrams (docs/decisions/0020-notify-by-program.md). Used in the supervisor; starts no instance and nothing else than that program.
 */
import { execFile } from "node:child_process";
import type { NotifyAddress } from "../options/service-manager.ts";

/** One datagram: lines such as `READY=1`. */
export type NotifyMessage = readonly string[];

/** Sends one message; rejects when that cannot be done. */
export type Transport = (message: NotifyMessage) => Promise<void>;

export interface SenderContext {
  readonly transport: Transport;
  /** Called once, for the first message that could not be sent. */
  readonly onFailure: (error: unknown) => void;
}

const PROGRAM = "systemd-notify";
/** systemd-notify waits as long itself until its message has been read. */
const SEND_TIMEOUT_MS = 5000;
/** More than this is not kept for a service manager that does not read. */
const MOST_WAITING = 64;

export class Sender {
  readonly #context: SenderContext;
  #waiting: NotifyMessage[] = [];
  #sending: Promise<void> | undefined;
  #hasFailed = false;

  constructor(context: SenderContext) {
    this.#context = context;
  }

  /** Sends it after those before; of several that wait and say no more than a status, only the last. */
  send(message: NotifyMessage): void {
    const last = this.#waiting.at(-1);
    if (last !== undefined && isStatusOnly(last) && isStatusOnly(message)) this.#waiting.pop();
    if (this.#waiting.length < MOST_WAITING) this.#waiting.push(message);
    this.#sending ??= this.#drain().finally(() => {
      this.#sending = undefined;
    });
  }

  /** Resolved when all has been sent. */
  async flushed(): Promise<void> {
    await this.#sending;
  }

  async #drain(): Promise<void> {
    for (let message = this.#waiting.shift(); message !== undefined; message = this.#waiting.shift()) {
      try {
        await this.#context.transport(message);
      } catch (error) {
        if (!this.#hasFailed) this.#context.onFailure(error);
        this.#hasFailed = true;
      }
    }
  }
}

function isStatusOnly(message: NotifyMessage): boolean {
  return message.every((line) => line.startsWith("STATUS="));
}

/** Sends by systemd-notify, which takes 5 to 10 ms and returns when the service manager has read the message. */
export function notifyProgram({ socket }: NotifyAddress, environment: NodeJS.ProcessEnv): Transport {
  const env = { PATH: environment["PATH"], NOTIFY_SOCKET: socket };
  return (message) =>
    new Promise((resolve, reject) => {
      execFile(PROGRAM, [...message], { env, timeout: SEND_TIMEOUT_MS }, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
}
