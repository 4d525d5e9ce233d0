/**
 * Once a second the supervisor looks at what its instances said of themselves: it kills who is unresponsive, with what blocked it in
 * the log, and has replaced who reached a limit. Runs in the supervisor; the decisions are in liveness.ts and recycling.ts.
 */
import type { Clock } from "../clock.ts";
import type { ChoirEvent } from "../events.ts";
import type { ResolvedOptions } from "../options/table.ts";
import type { Instance } from "./instance.ts";
import type { Examiner } from "./launcher.ts";
import { type BalanceMemory, decideBalance } from "./balance.ts";
import { decideLiveness, type LivenessMemory, type Unresponsive } from "./liveness.ts";
import { memoryLimit } from "./memory.ts";
import { decideRecycling, NO_RECYCLING, type RecycleLimits } from "./recycling.ts";
import type { Supervisor } from "./supervisor.ts";
import { sampleThread, type ThreadSample } from "./thread-state.ts";

export interface RoundsContext {
  readonly examiner: Examiner;
  readonly options: Pick<ResolvedOptions, "unresponsiveTimeout" | "maxRequests" | "maxAge" | "maxMemory">;
  readonly clock: Clock;
  readonly emit: (event: ChoirEvent) => void;
  /** Whether instances may be waiting for their lines to be written: then silence says nothing. Default: never. */
  readonly isHeldUp?: () => boolean;
  /** Default: the kernel's view of the process. */
  readonly sample?: (pid: number) => ThreadSample | undefined;
}

/** What the rounds need of the supervisor. */
export type Watched = Pick<Supervisor, "live" | "isSettled" | "replace">;

/** Milliseconds between two heartbeats, and two rounds: a second, or less where the timeout leaves no room for a late one. */
export function heartbeatInterval(unresponsiveTimeout: number): number {
  return unresponsiveTimeout === 0 ? 1000 : Math.min(1000, Math.max(100, Math.round(unresponsiveTimeout / 4)));
}

/** Begins the rounds; returns how to end them. */
export function startRounds(supervisor: Watched, context: RoundsContext): () => void {
  const rounds = new Rounds(supervisor, context);
  rounds.next();
  return () => rounds.stop();
}

class Rounds {
  readonly #supervisor: Watched;
  readonly #context: RoundsContext;
  readonly #period: number;
  readonly #limits: RecycleLimits;
  /** Those that are being looked into, and about to be killed. */
  readonly #condemned = new Set<Instance>();
  #liveness: LivenessMemory | undefined;
  #recycling = NO_RECYCLING;
  #balance: BalanceMemory = new Map();
  #stopped = false;

  constructor(supervisor: Watched, context: RoundsContext) {
    this.#supervisor = supervisor;
    this.#context = context;
    const { unresponsiveTimeout, maxRequests, maxAge, maxMemory } = context.options;
    this.#period = heartbeatInterval(unresponsiveTimeout);
    this.#limits = { requests: maxRequests, age: maxAge, memory: memoryLimit(maxMemory) };
  }

  next(): void {
    this.#context.clock.after(this.#period, () => {
      if (this.#stopped) return;
      this.#checkLiveness();
      this.#checkLimits();
      this.#checkBalance();
      this.next();
    });
  }

  stop(): void {
    this.#stopped = true;
  }

  #checkLiveness(): void {
    const { clock, options, sample = sampleThread, isHeldUp } = this.#context;
    if (isHeldUp?.() === true) {
      // Silence is counted anew from when they can go on.
      this.#liveness = undefined;
      return;
    }
    // Before it is ready an instance sends nothing: --start-timeout is for that.
    const heard = this.#supervisor.live.filter(
      (instance) => (instance.state === "ready" || instance.state === "draining") && instance.heardAt !== undefined,
    );
    const { memory, unresponsive } = decideLiveness(
      this.#liveness,
      { now: clock.now(), instances: heard.map(({ uid, pid, heardAt = 0 }) => ({ uid, pid, heardAt })) },
      { timeout: options.unresponsiveTimeout, period: this.#period, sample },
    );
    this.#liveness = memory;
    for (const verdict of unresponsive) {
      const instance = heard.find(({ uid }) => uid === verdict.uid);
      if (instance !== undefined && !this.#condemned.has(instance)) void this.#end(instance, verdict);
    }
  }

  async #end(instance: Instance, { silentMs, state }: Unresponsive): Promise<void> {
    const { examiner, emit, options } = this.#context;
    this.#condemned.add(instance);
    const { stack, missing, openRequests } = await examiner.examine(instance, state);
    this.#condemned.delete(instance);
    if (instance.state === "killing" || instance.state === "exited") return;
    emit({
      event: "instance-unresponsive",
      ...instance.place,
      silentMs: Math.round(silentMs),
      state,
      stack,
      missing,
      // Without an answer of its own what it last said has to do.
      openRequests: openRequests ?? instance.longRequests,
    });
    instance.kill(
      `its event loop is blocked for more than ${options.unresponsiveTimeout} ms (--unresponsive-timeout)`,
      "unresponsive",
    );
  }

  #checkBalance(): void {
    const { live, isSettled } = this.#supervisor;
    if (!isSettled || live.some(({ state }) => state !== "ready")) return;
    const { clock, emit } = this.#context;
    const { memory, letGo } = decideBalance(this.#balance, { now: clock.now(), instances: live });
    this.#balance = memory;
    for (const { uid, connections } of letGo) {
      const instance = live.find((each) => each.uid === uid);
      if (instance === undefined) continue;
      emit({ event: "connections-moved", ...instance.place, connections });
      instance.letGo(connections);
    }
  }

  #checkLimits(): void {
    const { clock, emit } = this.#context;
    // A rolling restart replaces them all, and has its own order.
    if (!this.#supervisor.isSettled) return;
    const { live } = this.#supervisor;
    const { memory, recycling } = decideRecycling(
      this.#recycling,
      { now: clock.now(), instances: live },
      { limits: this.#limits, random: () => clock.random() },
    );
    this.#recycling = memory;
    const instance = live.find(({ uid }) => uid === recycling?.uid);
    if (instance === undefined || recycling === undefined) return;
    const { uid: _, ...rest } = recycling;
    emit({ event: "instance-recycled", ...instance.place, ...rest });
    this.#supervisor.replace(instance, recycling.reason);
  }
}
