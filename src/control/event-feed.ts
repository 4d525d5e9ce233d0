/** Hands the supervisor's events on to whoever follows them at the moment. Used in the supervisor. */
import type { ChoirEvent } from "../events.ts";

type Listener = (event: ChoirEvent) => void;

export class EventFeed {
  readonly #listeners = new Set<Listener>();

  /** How many follow them. */
  get followers(): number {
    return this.#listeners.size;
  }

  /** Tells every subscriber, in the order they came. */
  emit(event: ChoirEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** Calls back for every event until the function it returns is called. */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
