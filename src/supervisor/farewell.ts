/**
 * The order in which a stop tells the instances to go: who does not listen yet first. Each process holds the sockets open, and who
 * connects while only such a one is left waits in a queue that nobody empties. Runs in the supervisor.
 */
import type { Clock, Timer } from "../clock.ts";
import type { Instance } from "./instance.ts";

/** How long those who serve wait for those who start: these have nothing to finish but their shutdown hooks. */
const PATIENCE_MS = 1000;

export interface FarewellContext {
  readonly clock: Clock;
  readonly ending?: () => void;
}

export class Farewell {
  /** Those that never listened and still run. */
  readonly #silent = new Set<Instance>();
  readonly #serving: readonly Instance[];
  readonly #deadline: Timer;

  constructor(live: Iterable<Instance>, { clock, ending }: FarewellContext) {
    const all = [...live];
    this.#serving = all.filter((instance) => instance.readyFor !== undefined);
    for (const instance of all) if (instance.readyFor === undefined) this.#silent.add(instance);
    for (const instance of this.#silent) instance.drain("stop");
    this.#deadline = clock.after(PATIENCE_MS, () => this.#drainServing());
    if (this.#silent.size === 0) this.#drainServing();
    ending?.();
  }

  /** An instance has ended. */
  exited(instance: Instance): void {
    if (this.#silent.delete(instance) && this.#silent.size === 0) this.#drainServing();
  }

  #drainServing(): void {
    this.#deadline.cancel();
    for (const instance of this.#serving) instance.drain("stop");
  }
}
