/** The numbered place that one instance after another fills: who serves in it, who is to follow, and how its instances ended. */
import type { Timer } from "../clock.ts";
import type { ExitReason } from "../events.ts";
import type { Instance, InstanceExit } from "./instance.ts";
import { CLEAN_HISTORY, remember, type SlotHistory } from "./restart-policy.ts";
import { observedExit } from "./start-failures.ts";

export interface LastExit {
  readonly reason: ExitReason;
  readonly code: number | null;
  readonly signal: string | null;
  /** ISO 8601 in UTC. */
  readonly at: string;
}

export class Slot {
  readonly id: number;
  /** Which generation fills it, when it has to be filled anew. */
  generation: number;
  /** The instance that serves, or is the first to; undefined while the slot waits for its respawn. */
  current: Instance | undefined;
  /** The one that takes its place as soon as it is ready. */
  successor: Instance | undefined;
  /** The current instance has to be replaced: a successor that fails is followed by another one. */
  wantsSuccessor = false;
  /** Taken away by a scale-down: nothing fills it any more. */
  retired = false;
  history: SlotHistory = CLEAN_HISTORY;
  lastExit: LastExit | null = null;
  /** How often it was filled anew. */
  restarts = -1;
  #respawn: Timer | undefined;

  constructor(id: number, generation: number) {
    this.id = id;
    this.generation = generation;
  }

  /** Takes in an instance: as the current one, or as the successor of one that still serves. */
  admit(instance: Instance): void {
    this.restarts += 1;
    if (this.current === undefined) this.current = instance;
    else this.successor = instance;
  }

  /** Puts a ready successor in the place of the current instance, which is returned: it may drain now. */
  promote(instance: Instance): Instance | undefined {
    if (this.successor !== instance) return undefined;
    const predecessor = this.current;
    this.current = instance;
    this.successor = undefined;
    this.wantsSuccessor = false;
    return predecessor;
  }

  /** Gives up the successor, which is returned: it may drain. */
  dropSuccessor(): Instance | undefined {
    const dropped = this.successor;
    this.successor = undefined;
    return dropped;
  }

  /** Forgets an instance that ended; one that was to follow takes the place of the current one. */
  release(instance: Instance): void {
    if (this.successor === instance) this.successor = undefined;
    if (this.current !== instance) return;
    this.current = this.successor;
    this.successor = undefined;
    this.wantsSuccessor = false;
  }

  /** Takes down how an instance ended; `at` is an ISO date. */
  record(exit: InstanceExit, at: string): void {
    this.lastExit = { reason: exit.reason, code: exit.code, signal: exit.signal, at };
    // An uncaught error has counted when it happened.
    if (exit.reason !== "uncaught") this.history = remember(this.history, observedExit(exit));
  }

  /** Takes down an uncaught error of the current instance, as a quick exit: one that comes with each request makes no storm. */
  recordUncaught(instance: Instance): void {
    this.history = remember(this.history, { readyMs: instance.readyFor ?? null, timedOut: false });
  }

  /** Whether an instance has to be started for it. */
  get isVacant(): boolean {
    if (this.retired || this.successor !== undefined) return false;
    return this.current === undefined || this.wantsSuccessor;
  }

  /** Remembers the one timer that is going to fill it. */
  await(respawn: Timer): void {
    this.#respawn?.cancel();
    this.#respawn = respawn;
  }

  cancelRespawn(): void {
    this.#respawn?.cancel();
    this.#respawn = undefined;
  }
}
