/** The app's shutdown hooks: run once, last registered first, each one whatever the others do. Runs in the instance. */

export class ShutdownHooks {
  readonly #hooks: (() => unknown)[] = [];
  readonly #onError: (error: unknown) => void;
  #running: Promise<void> | undefined;
  #atSignal = false;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  add(hook: () => unknown): void {
    this.#hooks.push(hook);
  }

  /** Runs them; a second call waits for the first. */
  run(): Promise<void> {
    this.#running ??= this.#runAll();
    return this.#running;
  }

  /** Without a supervisor nobody drains the process: the hooks run at its first SIGTERM or SIGINT, which then ends it. */
  runAtSignal(): void {
    if (this.#atSignal) return;
    this.#atSignal = true;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.once(signal, () => {
        void this.run().then(() => process.kill(process.pid, signal));
      });
    }
  }

  async #runAll(): Promise<void> {
    for (let hook = this.#hooks.pop(); hook !== undefined; hook = this.#hooks.pop()) {
      try {
        await hook();
      } catch (error) {
        this.#onError(error);
      }
    }
  }
}
