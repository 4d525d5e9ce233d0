/** The numbered place that one instance after another fills: who serves in it, who is to follow, and how its instances ended. */
import type { Timer } from "../clock.ts";
import type { Instance } from "./instance.ts";
import { CLEAN_HISTORY, type SlotHistory } from "./restart-policy.ts";

export class Slot {
  readonly id: number;
  /** The instance that serves, or is the first to; undefined while the slot waits for its respawn. */
  current: Instance | undefined;
  /** The one that takes its place as soon as it is ready. */
  successor: Instance | undefined;
  history: SlotHistory = CLEAN_HISTORY;
  /** How often it was filled anew. */
  restarts = -1;
  #respawn: Timer | undefined;

  constructor(id: number) {
    this.id = id;
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
    return predecessor;
  }

  /** Forgets an instance that ended; tells whether the slot has to be filled anew for it. */
  release(instance: Instance): boolean {
    if (this.successor === instance) {
      this.successor = undefined;
      return true;
    }
    if (this.current !== instance) return false;
    this.current = this.successor;
    this.successor = undefined;
    return this.current === undefined;
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
