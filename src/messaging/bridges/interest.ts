/**
 * The patterns that the instances of this supervisor are subscribed to, each once however many they are: what the engine is to
 * send here. Runs in the supervisor.
 */
import type { EngineConnection } from "./engine.ts";
import type { Names } from "./names.ts";

export class Interest {
  readonly #names: Names;
  /** How many instances have each. */
  readonly #patterns = new Map<string, number>();
  #connection: EngineConnection | undefined;

  constructor(names: Names) {
    this.#names = names;
  }

  add(pattern: string): void {
    const before = this.#patterns.get(pattern) ?? 0;
    this.#patterns.set(pattern, before + 1);
    if (before === 0) this.#connection?.subscribe(this.#names.subject(pattern));
  }

  remove(pattern: string): void {
    const left = (this.#patterns.get(pattern) ?? 0) - 1;
    if (left > 0) {
      this.#patterns.set(pattern, left);
      return;
    }
    if (this.#patterns.delete(pattern)) this.#connection?.unsubscribe(this.#names.subject(pattern));
  }

  /** Subscribes to all of them over a new connection; undefined when it was lost. */
  connect(connection: EngineConnection | undefined): void {
    this.#connection = connection;
    for (const pattern of this.#patterns.keys()) connection?.subscribe(this.#names.subject(pattern));
  }
}
