/**
 * Leaves the other instances their part of a burst of connections. Runs in the instance.
 *
 * A connection wakes every instance that idles, but the kernel runs one of them first, and that one accepts whatever has come by the time
 * the others get their turn: often all of a burst. So an instance sleeps for a moment at the 2nd, 4th, 8th … connection of a burst.
 * Under steady load there are no bursts, and under full load no idle instance, so neither pays. Figures: docs/decisions/0022-balance.md.
 */
import type { Server } from "node:net";
import { type Clock, systemClock } from "../clock.ts";

/** Longer than it takes the kernel to run a process that it has woken, on a machine with something to do. */
const PAUSE_MS = 0.3;
/** A burst begins after so long without a connection, in milliseconds: load that has gone on for a while has no bursts, also when this
 * process was kept waiting for a core. */
const QUIET_MS = 1000;

/** Counts connections that come close together. */
export class Burst {
  #count = 0;
  #lastAt = Number.NEGATIVE_INFINITY;

  /** Whether to pause at this connection, which came at `now` milliseconds. */
  pausesAt(now: number): boolean {
    this.#count = now - this.#lastAt > QUIET_MS ? 1 : this.#count + 1;
    this.#lastAt = now;
    // Powers of two.
    return this.#count > 1 && (this.#count & (this.#count - 1)) === 0;
  }
}

/** Call it before the server listens, where other instances accept from the same socket. */
export function shareBursts(server: Server, clock: Pick<Clock, "now"> = systemClock): void {
  const burst = new Burst();
  server.prependListener("connection", () => {
    if (burst.pausesAt(clock.now())) sleep();
  });
}

/** Accepting cannot be paused in Node.js, but its thread can. */
function sleep(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
}
