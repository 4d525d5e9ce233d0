/** What a log file cannot do at present: told once when it begins, and once when it is over. Runs in the supervisor; pure. */
import type { Clock } from "../../clock.ts";
import { countLines } from "../encode/segment.ts";

export type FileTrouble = "write" | "rotate" | "clean-up";

export interface TroubleObserver {
  /** Told once, when it begins. */
  failed(file: string, trouble: FileTrouble, error: unknown): void;
  /** It is over; so many lines were lost, and it took so many milliseconds. */
  recovered(file: string, trouble: FileTrouble, facts: { readonly lostLines: number; readonly ms: number }): void;
}

export class Troubles {
  readonly #file: string;
  readonly #clock: Clock;
  readonly #observer: TroubleObserver;
  readonly #since = new Map<FileTrouble, number>();
  #lostLines = 0;

  constructor(file: string, clock: Clock, observer: TroubleObserver) {
    this.#file = file;
    this.#clock = clock;
    this.#observer = observer;
  }

  /** Lines that were lost since writing began to fail. */
  get lostLines(): number {
    return this.#lostLines;
  }

  has(trouble: FileTrouble): boolean {
    return this.#since.has(trouble);
  }

  /** Counts lines that there was no room for while writing failed. */
  lose(bytes: Buffer): void {
    this.#lostLines += countLines(bytes);
  }

  begin(trouble: FileTrouble, error: unknown): void {
    if (this.#since.has(trouble)) return;
    this.#since.set(trouble, this.#clock.now());
    this.#observer.failed(this.#file, trouble, error);
  }

  end(trouble: FileTrouble): void {
    const since = this.#since.get(trouble);
    if (since === undefined) return;
    this.#since.delete(trouble);
    const lostLines = trouble === "write" ? this.#lostLines : 0;
    this.#lostLines -= lostLines;
    this.#observer.recovered(this.#file, trouble, { lostLines, ms: this.#clock.now() - since });
  }
}
