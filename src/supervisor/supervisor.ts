/**
 * Keeps N instances alive behind the sockets. Runs in the parent, reads no request byte and runs no user code. Signals, the
 * control API and the command line call these few methods; what happened leaves as events.
 */
import { EXIT } from "../errors.ts";
import type { OpenRequest, SentError } from "../protocol.ts";
import type { Outcome, SupervisorContext, SupervisorOptions } from "./context.ts";
import { Farewell } from "./farewell.ts";
import type { Instance, InstanceExit, InstanceObserver, LeavingReason } from "./instance.ts";
import { isRecycling } from "./recycling.ts";
import { Restarts } from "./restarts.ts";
import { respawnDelay } from "./restart-policy.ts";
import type { RolloutHost } from "./rollout.ts";
import { Measurements } from "./measurements.ts";
import { Slot } from "./slot.ts";
import type { RestartResult, ScaleResult, Snapshot } from "./snapshot.ts";
import { allCrashedError, endOf, StartFailures, startError } from "./start-failures.ts";
import { slotSnapshot } from "./take-snapshot.ts";

export class Supervisor {
  /** Resolved when every instance is gone and nothing will follow. */
  readonly finished: Promise<Outcome>;
  readonly #options: SupervisorOptions;
  readonly #context: SupervisorContext;
  readonly #slots: Slot[];
  /** Every process that has not been seen to exit, drained ones included, with its slot. */
  readonly #live = new Map<Instance, Slot>();
  readonly #observer: InstanceObserver;
  #failures = new StartFailures();
  /** What the instances counted, ended ones included. */
  readonly measurements: Measurements;
  readonly #startedAt: string;
  #finish!: (outcome: Outcome) => void;
  #outcome: Outcome | undefined;
  #farewell: Farewell | undefined;
  readonly #restarts: Restarts;

  constructor(options: SupervisorOptions, context: SupervisorContext) {
    this.#options = options;
    this.#context = context;
    this.measurements = new Measurements(context.clock);
    this.#startedAt = new Date(context.clock.date()).toISOString();
    this.#slots = Array.from({ length: options.instances }, (_, id) => new Slot(id, 0));
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
    this.#restarts = new Restarts({ ...context, host: this.#rolloutHost(), slots: () => this.#slots, ...options });
    this.#observer = {
      ready: (instance) => this.#ready(instance),
      leaving: (instance, reason) => this.#leaving(instance, reason),
      killing: (instance, why, openRequests) => this.#killing(instance, why, openRequests),
      measured: (instance, measured) => this.measurements.take(instance, measured),
      exited: (instance, exit) => this.#exited(instance, exit),
    };
  }

  start(): void {
    this.#context.launcher.prepare(0);
    for (const slot of this.#slots) this.#fill(slot);
  }

  /** Drains every instance and ends; `by` says who asked, for the log. */
  stop(by: string): void {
    if (this.#outcome !== undefined) return;
    this.#context.emit({ event: "stopping", by });
    this.#end({ code: EXIT.ok });
  }

  /** Ends every instance at once: the second signal. */
  forceStop(by: string): void {
    this.#context.emit({ event: "stop-forced", by });
    if (this.#outcome === undefined) this.#end({ code: EXIT.fatal });
    for (const instance of this.#live.keys()) instance.kill(`${by}, for the second time`);
  }

  /**
   * Replaces every instance by one of a new generation, each by a newcomer that is ready first; takes all of it back when a
   * newcomer fails. One that is asked for while another runs begins after it, once for all who ask.
   */
  restart(by: string): Promise<RestartResult> {
    // Whoever has changed something wants to hear what is wrong now, also if it is the same as before.
    if (this.#options.holdFailures) this.#failures = new StartFailures();
    return this.#restarts.request(by);
  }

  /** Keeps `instances` from now on: more are started, or the newest slots drain. Waits for a rolling restart to end. */
  scale(instances: number, by: string): Promise<ScaleResult> {
    return this.#restarts.whenIdle(() => this.#scaleNow(instances, by));
  }

  /** Keeps `change` instances more than when its turn has come, one at least. Two that wait for a restart add up. */
  scaleBy(change: number, by: string): Promise<ScaleResult> {
    return this.#restarts.whenIdle(() => this.#scaleNow(Math.max(1, this.#slots.length + change), by));
  }

  #scaleNow(instances: number, by: string): ScaleResult {
    if (this.#outcome !== undefined || instances === this.#slots.length) return { instances: this.#slots.length };
    this.#context.emit({ event: "scaled", instances, was: this.#slots.length, by });
    // After a restart with a mixed result the generation that served before may be gone.
    const isThere = this.#slots.find(({ generation }) => this.#context.launcher.isThere(generation));
    const added: Slot[] = [];
    while (this.#slots.length < instances) {
      const slot = new Slot(this.#slots.length, isThere?.generation ?? this.#restarts.generation);
      this.#slots.push(slot);
      added.push(slot);
    }
    // When all are there: each is told how many there are, and shares the memory with them.
    for (const slot of added) this.#fill(slot);
    for (const slot of this.#slots.splice(instances)) {
      slot.retired = true;
      slot.cancelRespawn();
      slot.dropSuccessor()?.drain("replaced");
      slot.current?.drain("replaced");
    }
    return { instances };
  }

  /** Has an instance followed by another one, which is ready before it drains. */
  replace(instance: Instance, reason: LeavingReason): void {
    instance.leave(reason);
  }

  /** Every process that has not been seen to exit. */
  get live(): Instance[] {
    return [...this.#live.keys()];
  }

  /** Whether neither a rolling restart nor the stop is under way. */
  get isSettled(): boolean {
    return this.#outcome === undefined && this.#restarts.rollout === undefined;
  }

  /** What there is at the moment. */
  snapshot(): Snapshot {
    const { name, version, urls } = this.#options;
    const live = [...this.#live];
    const state = this.isSettled ? "running" : this.#outcome === undefined ? "restarting" : "stopping";
    return {
      name,
      version,
      urls,
      state,
      pid: process.pid,
      startedAt: this.#startedAt,
      generation: this.#restarts.generation,
      instances: this.#slots.length,
      ready: live.filter(([instance]) => instance.state === "ready").length,
      traffic: this.measurements.trafficOf(live.map(([{ uid }]) => uid)),
      slots: slotSnapshot(this.#slots, live, { clock: this.#context.clock, measurements: this.measurements }),
      lastRestart: this.#restarts.last,
      engine: this.#context.engine?.() ?? null,
      logs: this.#context.logs?.() ?? null,
    };
  }

  #fill(slot: Slot): Instance {
    slot.cancelRespawn();
    const place = {
      slot: slot.id,
      generation: slot.generation,
      restarts: slot.restarts + 1,
      instances: this.#slots.length,
    };
    const instance = this.#context.launcher.launch(place, this.#observer);
    this.#live.set(instance, slot);
    slot.admit(instance);
    return instance;
  }

  #ready(instance: Instance): void {
    this.#failures.end();
    const urls = this.#options.urls;
    const startMs = Math.round(this.#context.clock.now() - instance.spawnedAt);
    this.#context.emit({ event: "instance-ready", ...instance.place, url: urls[0] ?? "", urls, startMs });
    // A newcomer of a rolling restart waits until its batch has passed.
    if (!this.#restarts.rollout?.holds(instance)) this.#slotOf(instance).promote(instance)?.drain("replaced");
    this.#restarts.rollout?.ready(instance);
  }

  #leaving(instance: Instance, reason: LeavingReason): void {
    this.#context.emit({ event: "instance-leaving", ...instance.place, reason });
    const slot = this.#slotOf(instance);
    // --no-respawn is about crashes: a limit that was set asks for a replacement.
    const mayReplace = this.#options.respawn || isRecycling(reason);
    if (this.#outcome !== undefined || !mayReplace || slot.retired || slot.current !== instance) {
      instance.drain("replaced");
      return;
    }
    if (reason === "uncaught") slot.recordUncaught(instance);
    const delayMs = reason === "uncaught" ? respawnDelay(slot.history, this.#context.clock.random()) : 0;
    this.#succeed(slot, delayMs);
  }

  /** Has the slot's current instance followed by another one. */
  #succeed(slot: Slot, delayMs = 0): void {
    slot.wantsSuccessor = slot.current !== undefined;
    if (!slot.isVacant) return;
    if (delayMs === 0) this.#fill(slot);
    else this.#respawnLater(slot, delayMs);
  }

  #killing(instance: Instance, why: string, openRequests: readonly OpenRequest[]): void {
    this.#context.emit({ event: "instance-killed", ...instance.place, why, openRequests });
    // Asked to stop, but not everyone stopped: that is not exit code 0.
    if (this.#outcome?.code === EXIT.ok) this.#outcome = { code: EXIT.fatal };
  }

  #exited(instance: Instance, exit: InstanceExit): void {
    const slot = this.#slotOf(instance);
    this.#live.delete(instance);
    this.measurements.release(instance);
    this.#farewell?.exited(instance);
    slot.release(instance);
    slot.record(exit, new Date(this.#context.clock.date()).toISOString());
    const failure = exit.readyMs === null && exit.reason !== "asked" ? this.#sayFailure(instance, exit) : undefined;
    const held = failure !== undefined && this.#options.holdFailures === true;
    const hopeless = failure !== undefined && !held && this.#isHopeless(exit);
    const respawns = slot.isVacant && this.#outcome === undefined && this.#options.respawn && !hopeless && !held;
    const respawnMs = respawns ? respawnDelay(slot.history, this.#context.clock.random()) : null;
    this.#context.emit({
      event: "instance-exited",
      ...instance.place,
      reason: exit.reason,
      code: exit.code,
      signal: exit.signal,
      uptimeMs: Math.round(exit.uptimeMs),
      respawnMs,
      repeated: failure?.repeated ?? false,
      ...(exit.note === undefined ? {} : { note: exit.note }),
    });
    if (exit.reason !== "asked") this.#restarts.rollout?.exited(instance, endOf(exit));
    if (respawnMs !== null) this.#respawnLater(slot, respawnMs);
    if (hopeless) this.#end({ code: EXIT.unavailable, error: startError(failure.error) });
    this.#concludeIfEmpty();
  }

  #respawnLater(slot: Slot, ms: number): void {
    slot.await(
      this.#context.clock.after(ms, () => {
        if (slot.isVacant) this.#fill(slot);
      }),
    );
  }

  /** Says why a start failed, unless the same has been said before. */
  #sayFailure(instance: Instance, exit: InstanceExit): { error: SentError; repeated: boolean } {
    const { error, repeated } = this.#failures.note(exit);
    if (!repeated) {
      const { message, code, text } = error;
      this.#context.emit({ event: "instance-start-failed", ...instance.place, error: message, code, stack: text });
    }
    return { error, repeated };
  }

  /** No instance was ever ready, and going on would not change it. */
  #isHopeless(exit: InstanceExit): boolean {
    if (this.#outcome !== undefined) return false;
    const allEnded = !this.#options.respawn && this.#live.size === 0;
    return this.#failures.areHopeless(exit, { histories: this.#slots.map((slot) => slot.history), allEnded });
  }

  #rolloutHost(): RolloutHost {
    return {
      fill: (slot) => {
        // A replacement that was on its way for another reason would be of the old generation.
        slot.dropSuccessor()?.drain("replaced");
        return this.#fill(slot);
      },
      promote: (slot) => {
        if (slot.successor !== undefined) slot.promote(slot.successor)?.drain("replaced");
      },
      replace: (slot) => {
        if (slot.successor?.generation !== slot.generation) slot.dropSuccessor()?.drain("replaced");
        this.#succeed(slot);
      },
      isThere: (generation) => this.#context.launcher.isThere(generation),
    };
  }

  #end(outcome: Outcome): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = outcome;
    this.#restarts.stop();
    for (const slot of this.#slots) slot.cancelRespawn();
    this.#farewell = new Farewell(this.#live.keys(), this.#context);
    this.#concludeIfEmpty();
  }

  #concludeIfEmpty(): void {
    if (this.#live.size > 0) return;
    if (this.#outcome !== undefined) {
      this.#finish(this.#outcome);
    } else if (!this.#options.respawn) {
      this.#context.emit({ event: "all-crashed" });
      this.#end({ code: EXIT.fatal, error: allCrashedError() });
    }
  }

  #slotOf(instance: Instance): Slot {
    const slot = this.#live.get(instance);
    if (slot === undefined)
      throw new Error(`Instance ${instance.slot} (pid ${instance.pid}) is in no slot. This is a bug in Choir`);
    return slot;
  }
}
