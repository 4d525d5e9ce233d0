/** Keeps a stream of the supervisor's open: begins it anew when it breaks or falls silent. Runs in the browser. */
import { type Api, RefusedError } from "./api.ts";

export interface LiveHandlers {
  /** It has begun, perhaps anew; gets the supervisor's clock. */
  begun(serverTime: number): void;
  text(piece: string): void;
  /** It is interrupted, and tried again. */
  lost(): void;
  /** It is refused: the token is missing or wrong. Ends it. */
  refused(message: string): void;
}

/** Snapshots come once a second, and comments at least every 15 s where there are none. */
export interface LiveOptions {
  /** Nothing for so long, in milliseconds: the connection is taken for dead. */
  readonly silentMs: number;
}

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 4000;

export class Live {
  readonly #api: Api;
  readonly #handlers: LiveHandlers;
  readonly #silentMs: number;
  #abort: AbortController | undefined;
  #watch: ReturnType<typeof setTimeout> | undefined;

  constructor(api: Api, handlers: LiveHandlers, { silentMs }: LiveOptions) {
    this.#api = api;
    this.#handlers = handlers;
    this.#silentMs = silentMs;
  }

  get isOpen(): boolean {
    return this.#abort !== undefined;
  }

  /** Opens it, also when it is open already. */
  open(path: string): void {
    this.close();
    this.#abort = new AbortController();
    void this.#run(path, this.#abort.signal);
  }

  close(): void {
    this.#abort?.abort();
    this.#abort = undefined;
    clearTimeout(this.#watch);
  }

  async #run(path: string, closed: AbortSignal): Promise<void> {
    for (let retryMs = FIRST_RETRY_MS; !closed.aborted; retryMs = Math.min(LAST_RETRY_MS, retryMs * 2)) {
      const begun = await this.#once(path, closed);
      if (closed.aborted) return;
      if (begun) retryMs = FIRST_RETRY_MS / 2;
      this.#handlers.lost();
      await new Promise((resolve) => {
        setTimeout(resolve, retryMs);
      });
    }
  }

  /** Reads until it ends; whether it had begun. */
  async #once(path: string, closed: AbortSignal): Promise<boolean> {
    const attempt = new AbortController();
    const signal = AbortSignal.any([closed, attempt.signal]);
    let begun = false;
    const heard = (): void => {
      clearTimeout(this.#watch);
      this.#watch = setTimeout(() => attempt.abort(), this.#silentMs);
    };
    heard();
    try {
      await this.#api.stream(path, {
        signal,
        begun: (serverTime) => {
          begun = true;
          heard();
          if (!closed.aborted) this.#handlers.begun(serverTime);
        },
        text: (piece) => {
          heard();
          if (!closed.aborted) this.#handlers.text(piece);
        },
      });
    } catch (error) {
      if (error instanceof RefusedError && (error.status === 401 || error.status === 403) && !closed.aborted) {
        this.close();
        this.#handlers.refused(error.message);
      }
    }
    clearTimeout(this.#watch);
    return begun;
  }
}
