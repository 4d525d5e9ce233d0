/** Wants to lead, leads, and wants to lead again until it is stopped. Runs in the instance, for lock-client.ts. */
import type { Claim, HeldLock } from "./lock-claim.ts";
import type { Leadership, Lock } from "./locks.ts";

/** What a candidate needs of the client. */
export interface CandidateHost {
  /** Asks for the leader's lock; gives up when the signal aborts. Throws when the pipe is closed. */
  claim(stop: AbortSignal): Claim;
  release(claim: Claim): Promise<void>;
  /** Logs what the callback threw. */
  report(error: unknown): void;
}

/** How long one whose callback threw leaves it to the others, in milliseconds. */
const PAUSE_MS = 1000;

export class Candidate implements Leadership {
  readonly name: string;
  /** Resolves when it will not lead any more. */
  readonly ended: Promise<void>;
  /** Why it ended without having been stopped. */
  failure: unknown;
  readonly #callback: (signal: AbortSignal, lock: Lock) => unknown;
  readonly #host: CandidateHost;
  readonly #stop = new AbortController();
  #isLeader = false;

  /** Stands at once. */
  constructor(name: string, callback: (signal: AbortSignal, lock: Lock) => unknown, host: CandidateHost) {
    this.name = name;
    this.#callback = callback;
    this.#host = host;
    this.ended = this.#run();
  }

  get isLeader(): boolean {
    return this.#isLeader;
  }

  stop(): Promise<void> {
    this.#stop.abort(new DOMException("This instance stands down", "AbortError"));
    return this.ended;
  }

  get #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      try {
        const claim = this.#host.claim(this.#stop.signal);
        const lock = await claim.granted;
        if (lock === null || (await this.#lead(claim, lock))) continue;
        await pause(PAUSE_MS, this.#stop.signal);
      } catch (error) {
        // Refused, or the pipe is closed: it will not be otherwise the next time.
        if (!this.#isStopped) this.failure = error;
        return;
      }
    }
  }

  /** Leads until it is stopped, loses the lock or fails; false when the callback threw. Never throws. */
  async #lead(claim: Claim, lock: HeldLock): Promise<boolean> {
    const leading = new AbortController();
    const end = (reason: unknown): void => leading.abort(reason);
    const onStop = (): void => end(this.#stop.signal.reason);
    this.#stop.signal.addEventListener("abort", onStop);
    void claim.lost.catch(end);
    lock.signal.addEventListener("abort", () => end(lock.signal.reason));
    const ended = new Promise((resolve) => leading.signal.addEventListener("abort", resolve));
    if (this.#isStopped) onStop();
    this.#isLeader = true;
    let failed = false;
    try {
      await this.#callback(leading.signal, lock);
      if (!leading.signal.aborted) await ended;
    } catch (error) {
      failed = !leading.signal.aborted;
      if (failed) this.#host.report(error);
      end(error);
    }
    this.#isLeader = false;
    this.#stop.signal.removeEventListener("abort", onStop);
    await this.#host.release(claim);
    return !failed;
  }
}

/** Waits, or until the signal aborts. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}
