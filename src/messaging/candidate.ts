/** Wants to lead, leads, and wants to lead again until it is stopped. Runs in the instance, for lock-client.ts. */
import { ChoirError } from "../errors.ts";
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
/** How long one that was refused waits before it asks again. */
const REFUSED_MS = 5000;

export class Candidate implements Leadership {
  readonly name: string;
  /** Resolves when it will not lead any more. */
  readonly ended: Promise<void>;
  /** Why it could not stand. */
  failure: unknown;
  readonly #callback: (signal: AbortSignal, lock: Lock) => unknown;
  readonly #host: CandidateHost;
  readonly #stop = new AbortController();
  /** Whether the app has been told that it stands: from then on a refusal is for the log, and is not the last word. */
  #stands = false;
  #isReported = false;
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

  /** Tells that it could not stand, or that it does from now on. */
  confirm(): void {
    if (this.failure !== undefined) throw this.failure;
    this.#stands = true;
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
        if (this.#isStopped || !(await this.#triesAgain(error))) return;
      }
    }
  }

  /** After a refusal: the engine may have been started without what locks need, and be started anew with it. */
  async #triesAgain(error: unknown): Promise<boolean> {
    const isRefusal = error instanceof ChoirError && error.code === "ERR_CHOIR_LOCK_ENGINE";
    if (!this.#stands || !isRefusal) {
      this.failure = error;
      return false;
    }
    if (!this.#isReported) this.#host.report(error);
    this.#isReported = true;
    await pause(REFUSED_MS, this.#stop.signal);
    return true;
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
    this.#isReported = false;
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
