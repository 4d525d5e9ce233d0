/**
 * One rolling restart: newcomers of a new generation first, then the old ones drain, batch by batch; or all of it is taken back.
 * Knows slots and the order of things; starting and draining are its host's. Runs in the supervisor.
 */
import type { Clock } from "../clock.ts";
import { describeThrown } from "../errors.ts";
import type { Instance } from "./instance.ts";
import type { Slot } from "./slot.ts";
import type { RestartResult } from "./snapshot.ts";

export interface RolloutPlan {
  /** The generation to roll out. */
  readonly generation: number;
  /** How many newcomers may run beside the old ones. */
  readonly surge: number;
  /** How long the first newcomer must stay ready before anything else follows, in milliseconds. */
  readonly canaryTime: number;
}

export interface RolloutHost {
  /** Starts an instance of the slot's generation as the successor of the current one. */
  fill(slot: Slot): Instance;
  /** Lets the successor take the place; the predecessor drains. */
  promote(slot: Slot): void;
  /** Has the current instance replaced by one of the slot's generation, however often that has to be tried. */
  replace(slot: Slot): void;
  /** Whether the code of a generation is still where it was. */
  isThere(generation: number): boolean;
}

/** What ends a rollout before it is done. */
class Stopped extends Error {}

/** A newcomer that has not passed. */
interface Wait {
  resolve(): void;
  reject(error: Error): void;
}

export class Rollout {
  readonly plan: RolloutPlan;
  readonly result: Promise<RestartResult>;
  readonly #host: RolloutHost;
  readonly #clock: Clock;
  readonly #startedAt: number;
  /** Those that are awaited to get ready. */
  readonly #waits = new Map<Instance, Wait>();
  readonly #promoted: Slot[] = [];
  /** The generation that each slot had, which is given back to it when this fails. */
  readonly #before = new Map<Slot, number>();
  #pending: Slot[] = [];
  #lastWords: readonly string[] = [];
  /** Rejects whatever is awaited at the moment. */
  #reject: (error: Error) => void = () => {};
  /** What ended it before it was done. */
  #failure: Error | undefined;
  /** Ends the wait for those that are given back. */
  #stop: () => void = () => {};
  readonly #aborted: Promise<never>;
  #takingBack = false;

  constructor(slots: readonly Slot[], plan: RolloutPlan, { host, clock }: { host: RolloutHost; clock: Clock }) {
    this.plan = plan;
    this.#host = host;
    this.#clock = clock;
    this.#startedAt = clock.now();
    this.#aborted = new Promise<never>((_, reject) => {
      this.#reject = reject;
    });
    // It may be aborted while nothing is awaited.
    this.#aborted.catch(() => {});
    this.result = this.#run(slots);
  }

  /** Whether an instance is a newcomer that waits for its batch to pass: it must not replace anyone by itself. */
  holds(instance: Instance): boolean {
    return !this.#takingBack && this.#pending.some((slot) => slot.successor === instance);
  }

  /** A newcomer is ready. */
  ready(instance: Instance): void {
    this.#waits.get(instance)?.resolve();
  }

  /** An instance has ended; any newcomer's end fails the rollout. */
  exited(instance: Instance, error: string): void {
    if (this.#takingBack || instance.generation !== this.plan.generation) {
      this.#waits.get(instance)?.reject(new Error(error));
      return;
    }
    this.#lastWords = instance.lastWords();
    this.#abort(new Error(error));
  }

  /** The supervisor stops: nothing is taken back any more. */
  stop(): void {
    this.#abort(new Stopped());
    this.#stop();
  }

  async #run(slots: readonly Slot[]): Promise<RestartResult> {
    try {
      for (let from = 0; from < slots.length; from += this.plan.surge) {
        await this.#batch(slots.slice(from, from + this.plan.surge), from === 0);
      }
      return this.#resultOf("done");
    } catch (error) {
      if (error instanceof Stopped) return this.#resultOf("stopped");
      return this.#resultOf(await this.#takeBack(), describeThrown(error));
    }
  }

  async #batch(slots: readonly Slot[], isFirst: boolean): Promise<void> {
    const wanted = slots.filter((slot) => !slot.retired);
    const [canary, ...others] = wanted;
    if (canary === undefined) return;
    if (isFirst) {
      await this.#newcomers([canary]);
      await this.#orAborted(new Promise<void>((resolve) => this.#clock.after(this.plan.canaryTime, resolve)));
      await this.#newcomers(others);
    } else {
      await this.#newcomers(wanted);
    }
    // What was awaited may have come at the same moment as its end.
    this.#throwIfAborted();
    for (const slot of this.#pending.splice(0)) {
      this.#promoted.push(slot);
      this.#host.promote(slot);
    }
  }

  /** Starts one in each slot; resolved when all are ready. */
  async #newcomers(slots: readonly Slot[]): Promise<void> {
    this.#throwIfAborted();
    const ready = slots.map((slot) => {
      this.#before.set(slot, slot.generation);
      slot.generation = this.plan.generation;
      this.#pending.push(slot);
      return this.#untilReady(this.#host.fill(slot));
    });
    await this.#orAborted(Promise.all(ready));
  }

  #untilReady(instance: Instance): Promise<void> {
    return new Promise<void>((resolve, reject) => this.#waits.set(instance, { resolve, reject })).finally(() =>
      this.#waits.delete(instance),
    );
  }

  #abort(error: Error): void {
    this.#failure ??= error;
    this.#reject(error);
  }

  #throwIfAborted(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #orAborted<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#aborted]);
  }

  /** Gives every slot its old code back; mixed when one could not have it. */
  async #takeBack(): Promise<"failed" | "mixed" | "stopped"> {
    this.#takingBack = true;
    for (const slot of this.#pending) {
      slot.generation = this.#generationBefore(slot);
      slot.dropSuccessor()?.drain("replaced");
      // The old one has crashed meanwhile: the newcomer is what serves there.
      if (slot.current?.generation === this.plan.generation) this.#promoted.push(slot);
    }
    const replaced = this.#promoted.filter((slot) => !slot.retired);
    const back = replaced.filter((slot) => this.#host.isThere(this.#generationBefore(slot)));
    for (const slot of replaced) if (!back.includes(slot)) slot.generation = this.plan.generation;
    const stopped = new Promise<"stopped">((resolve) => {
      this.#stop = () => resolve("stopped");
    });
    const settled = await Promise.race([Promise.allSettled(back.map((slot) => this.#giveBack(slot))), stopped]);
    if (settled === "stopped") return settled;
    const isMixed = back.length < replaced.length || settled.some(({ status }) => status === "rejected");
    return isMixed ? "mixed" : "failed";
  }

  /** Replaces a newcomer that serves; resolved when one of the old code is ready in its place. */
  async #giveBack(slot: Slot): Promise<void> {
    slot.generation = this.#generationBefore(slot);
    this.#host.replace(slot);
    const successor = slot.successor ?? slot.current;
    if (successor !== undefined && successor.readyFor === undefined) await this.#untilReady(successor);
  }

  #generationBefore(slot: Slot): number {
    return this.#before.get(slot) ?? slot.generation;
  }

  #resultOf(outcome: RestartResult["outcome"], error?: string): RestartResult {
    return {
      outcome,
      generation: this.plan.generation,
      durationMs: Math.round(this.#clock.now() - this.#startedAt),
      ...(error === undefined ? {} : { error }),
      ...(this.#lastWords.length === 0 ? {} : { lastWords: this.#lastWords }),
    };
  }
}

/** How many newcomers `--max-surge` allows beside `instances` old ones; at least one. */
export function surgeOf(maxSurge: string, instances: number): number {
  const number = Number.parseInt(maxSurge, 10);
  const surge = maxSurge.endsWith("%") ? Math.ceil((instances * number) / 100) : number;
  return Math.min(Math.max(1, surge), Math.max(1, instances));
}
