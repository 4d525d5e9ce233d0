/**
 * Which other supervisors of the app are connected to the engine. After an outage all come back within moments of each other, and
 * what the first one sends at once would miss the others: so it waits for those that were there before. Runs in the supervisor; pure.
 */

/** How often a supervisor says that it is there, in milliseconds. */
export const HELLO_MS = 5000;
/** After how long a silent one is taken to be gone. */
const GONE_MS = 4 * HELLO_MS;

export class Peers {
  /** When each was heard last. */
  readonly #heard = new Map<string, number>();
  readonly #awaited = new Set<string>();

  /** How many others there are. */
  get count(): number {
    return this.#heard.size;
  }

  /** Whether all that were there before the last outage are back. */
  get complete(): boolean {
    return this.#awaited.size === 0;
  }

  hello(origin: string, now: number): void {
    this.#heard.set(origin, now);
    this.#awaited.delete(origin);
  }

  /** It ends. */
  goodbye(origin: string): void {
    this.#heard.delete(origin);
    this.#awaited.delete(origin);
  }

  /** The connection was lost: everyone is to be heard anew. */
  disconnected(): void {
    for (const origin of this.#heard.keys()) this.#awaited.add(origin);
  }

  /** Waits for nobody any longer. */
  giveUp(): void {
    for (const origin of this.#awaited) this.#heard.delete(origin);
    this.#awaited.clear();
  }

  /** Forgets those that have not been heard for long, and tells which. */
  expire(now: number): readonly string[] {
    const gone = [...this.#heard]
      .filter(([origin, heard]) => now - heard > GONE_MS && !this.#awaited.has(origin))
      .map(([origin]) => origin);
    for (const origin of gone) this.#heard.delete(origin);
    return gone;
  }
}
