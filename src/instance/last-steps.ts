/**
 * What an instance has left to do after its last answer: the app's own close, then the shutdown hooks. Nobody can end these but
 * themselves, so what hangs is named before the supervisor kills the process for it. Runs in the instance.
 */
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";

export interface LastStepsSetup {
  readonly clock: Clock;
  readonly logger: () => Pick<Logger, "error" | "warn">;
  /** By the clock: when the supervisor kills. */
  readonly killedAt: number;
}

/** How long before it is killed a step is named. */
const BEFORE_MS = 500;
/** What the app's close is given after an error that nobody caught: it may be what close waits for. */
const AFTER_ERROR_MS = 1000;

export class LastSteps {
  readonly #setup: LastStepsSetup;

  constructor(setup: LastStepsSetup) {
    this.#setup = setup;
  }

  /** Closes the app; `failed` is resolved at an uncaught error, such as one of Fastify's onClose hooks may throw. */
  async close(close: () => Promise<void>, failed: Promise<void>): Promise<void> {
    const { clock, logger } = this.#setup;
    const closed = close().catch((error: unknown) => logger().error({ err: error }, "Closing the app failed"));
    const givenUp = failed.then(
      () =>
        new Promise<void>((resolve) => {
          clock.after(AFTER_ERROR_MS, resolve);
        }),
    );
    await this.#naming("the app's own close (Fastify: onClose and preClose hooks)", Promise.race([closed, givenUp]));
  }

  /** Waits for the shutdown hooks. */
  async hooks(run: () => Promise<void>): Promise<void> {
    await this.#naming("a shutdown hook", run());
  }

  async #naming(step: string, work: Promise<void>): Promise<void> {
    const { clock, logger, killedAt } = this.#setup;
    const left = killedAt - clock.now();
    const timer = clock.after(Math.max(left * 0.9, left - BEFORE_MS), () => {
      logger().warn({ step }, `All requests are answered, but ${step} does not come to its end: --shutdown-timeout`);
    });
    await work;
    timer.cancel();
  }
}
