/** Which generation serves, and the rolling restarts that change it: one at a time, and at most one more that waits. Supervisor. */
import type { Clock } from "../clock.ts";
import type { ChoirEvent } from "../events.ts";
import type { Launcher } from "./launcher.ts";
import { Rollout, type RolloutHost, surgeOf } from "./rollout.ts";
import type { Slot } from "./slot.ts";
import type { RestartResult } from "./snapshot.ts";

export interface RestartsContext {
  readonly launcher: Launcher;
  readonly clock: Clock;
  readonly emit: (event: ChoirEvent) => void;
  readonly host: RolloutHost;
  /** The slots that are wanted at the moment. */
  readonly slots: () => readonly Slot[];
  readonly maxSurge: string;
  readonly canaryTime: number;
}

export class Restarts {
  readonly #context: RestartsContext;
  #generation = 0;
  /** The newest generation that was tried. */
  #newest = 0;
  #rollout: Rollout | undefined;
  /** The restart that begins when the present one has ended: all that are asked for meanwhile are this one. */
  #queued: Promise<RestartResult> | undefined;
  #last: RestartResult | null = null;
  #stopped = false;

  constructor(context: RestartsContext) {
    this.#context = context;
  }

  /** The generation that serves. */
  get generation(): number {
    return this.#generation;
  }

  /** The one that runs. */
  get rollout(): Rollout | undefined {
    return this.#rollout;
  }

  /** How the last one ended. */
  get last(): RestartResult | null {
    return this.#last;
  }

  /** Begins one now, or after the one that runs. */
  request(by: string): Promise<RestartResult> {
    if (this.#rollout === undefined) return this.#roll(by);
    this.#queued ??= this.whenIdle(() => {
      this.#queued = undefined;
      return this.#roll(by);
    });
    return this.#queued;
  }

  /** Does something when none runs: at the very moment that this is seen, since others who wait may begin another one. */
  async whenIdle<T>(work: () => T): Promise<Awaited<T>> {
    while (this.#rollout !== undefined) await this.#rollout.result;
    return await work();
  }

  /** The supervisor stops: the one that runs is given up, and no other begins. */
  stop(): void {
    this.#stopped = true;
    this.#rollout?.stop();
  }

  async #roll(by: string): Promise<RestartResult> {
    if (this.#stopped) {
      return { outcome: "stopped", generation: this.#generation, durationMs: 0, error: "The supervisor is stopping" };
    }
    const { launcher, clock, emit, host, maxSurge, canaryTime } = this.#context;
    const slots = [...this.#context.slots()];
    const generation = ++this.#newest;
    launcher.prepare(generation);
    emit({ event: "restart-started", generation, by });
    const plan = { generation, surge: surgeOf(maxSurge, slots.length), canaryTime };
    this.#rollout = new Rollout(slots, plan, { host, clock });
    const result = await this.#rollout.result;
    if (result.outcome === "done") this.#generation = generation;
    this.#rollout = undefined;
    this.#last = result;
    emit({ event: "restart-finished", ...result });
    return result;
  }
}
