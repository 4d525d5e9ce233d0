/**
 * This supervisor's session at the engine, which all its locks live by. The engine ends it when it is not renewed; here it counts as
 * ended some time *before* that, so that holders have stopped when others get their locks. One that has ended is never taken up
 * again: the next one has another name. Runs in the supervisor.
 */
import { randomBytes } from "node:crypto";
import type { Clock, Timer } from "../../clock.ts";
import type { LockStore } from "./engine.ts";

export interface SessionOptions {
  readonly clock: Clock;
  /** A session has begun: locks can be had. */
  readonly onBegun: () => void;
  /** It lives until later than it did. */
  readonly onProlonged: () => void;
  /** It has been renewed: time to look after what waits. */
  readonly onRenewed: () => void;
  /** It has ended: whatever was held is held no longer. */
  readonly onEnded: () => void;
}

/** Shares of the lease: when it is renewed, and when it counts as ended. The rest is the time that holders have to stop. */
const RENEW_SHARE = 0.2;
const END_SHARE = 0.8;

export class Session {
  readonly #options: SessionOptions;
  #store: LockStore | undefined;
  #id = newId();
  #hasBegun = false;
  /** Until when it counts as alive, by the clock's `now`. */
  #end = 0;
  #ending: Timer | undefined;
  #renewal: Timer | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  get id(): string {
    return this.#id;
  }

  /** Until when that is so, by the clock's `now`; undefined while there is none. */
  get end(): number | undefined {
    return this.#hasBegun ? this.#end : undefined;
  }

  /** Whether what it holds is certainly its own: asked by the clock, since timers may be late. */
  get isAlive(): boolean {
    return this.#hasBegun && this.#options.clock.now() < this.#end;
  }

  connect(store: LockStore): void {
    this.#store = store;
    void this.#renew(store);
  }

  /** Without connection it lives on until its time is over. */
  disconnect(): void {
    this.#store = undefined;
    this.#renewal?.cancel();
  }

  /** Ends it at the engine, so that others need not wait. */
  async close(): Promise<void> {
    const store = this.#store;
    this.disconnect();
    this.#ending?.cancel();
    if (this.#hasBegun) await store?.end(this.#id).catch(() => {});
    this.#hasBegun = false;
  }

  async #renew(store: LockStore): Promise<void> {
    const { clock, onBegun, onRenewed } = this.#options;
    // The engine counts from when it has it, which is later.
    const sent = clock.now();
    const id = this.#id;
    const isRenewed = await store.renew(id).then(
      () => true,
      () => false,
    );
    if (this.#store !== store) return;
    // When the answer took so long that the session has ended meanwhile, it was another one's.
    if (isRenewed && id === this.#id && clock.now() < sent + store.leaseMs * END_SHARE) {
      this.#prolong(sent, store.leaseMs);
      if (this.#hasBegun) onRenewed();
      else {
        this.#hasBegun = true;
        onBegun();
      }
    }
    if (this.#store === store) this.#renewLater(store);
  }

  #renewLater(store: LockStore): void {
    this.#renewal = this.#options.clock.after(store.leaseMs * RENEW_SHARE, () => void this.#renew(store));
  }

  #prolong(sent: number, leaseMs: number): void {
    const { clock } = this.#options;
    this.#end = sent + leaseMs * END_SHARE;
    this.#ending?.cancel();
    this.#ending = clock.after(this.#end - clock.now(), () => this.#onEnd());
    this.#options.onProlonged();
  }

  #onEnd(): void {
    this.#id = newId();
    this.#hasBegun = false;
    this.#options.onEnded();
  }
}

function newId(): string {
  return randomBytes(9).toString("hex");
}
