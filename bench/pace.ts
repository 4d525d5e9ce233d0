/** Keeps a run within its time: when that gets scarce, rows that scatter little are measured once only, then rounds are left out. */

export class Pace {
  readonly #budgetMs: number;
  readonly #rounds: number;
  /** How long the first round took, in which all rows take part, and the shortest since. */
  #wholeMs = 0;
  #shortMs = Infinity;

  constructor({ minutes, rounds }: { readonly minutes: number; readonly rounds: number }) {
    this.#budgetMs = minutes * 60_000;
    this.#rounds = rounds;
  }

  /** What a round may do, `elapsedMs` after the start: measure all rows that are due, only those of every round, or nothing. */
  next(round: number, elapsedMs: number): "all" | "steady" | "nothing" {
    if (round === 0) return "all";
    const left = this.#budgetMs - elapsedMs;
    const short = Math.min(this.#shortMs, this.#wholeMs / 3);
    if (left < short) return "nothing";
    return left > this.#wholeMs + short * (this.#rounds - round - 1) ? "all" : "steady";
  }

  took(round: number, ms: number): void {
    if (round === 0) this.#wholeMs = ms;
    else this.#shortMs = Math.min(this.#shortMs, ms);
  }
}
