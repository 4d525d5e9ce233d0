/**
 * Keeps N instances alive behind the sockets. Runs in the parent, reads no request byte and runs no user code. Signals, and later
 * the control API and the command line, call these few methods; what happened leaves as events.
 */
import type { Clock } from "../clock.ts";
import { ChoirError, EXIT, type ExitCode } from "../errors.ts";
import type { ChoirEvent } from "../events.ts";
import type { OpenRequest, SentError } from "../protocol.ts";
import type { Instance, InstanceExit, InstanceObserver, LeavingReason } from "./instance.ts";
import { hasFailedToStart, remember, respawnDelay } from "./restart-policy.ts";
import { Slot } from "./slot.ts";

/** Where a new instance belongs. */
export interface Place {
  /** The slot's number. */
  readonly slot: number;
  readonly generation: number;
  /** How often the slot has been filled anew. */
  readonly restarts: number;
}

/** Makes the process of an instance, with its logs and messages connected. */
export interface Launcher {
  launch(place: Place, observer: InstanceObserver): Instance;
}

export interface SupervisorOptions {
  readonly instances: number;
  /** Whether a crashed instance is followed by a new one. */
  readonly respawn: boolean;
  /** How the listening sockets are written in URLs, in the order of the descriptors. */
  readonly urls: readonly string[];
}

export interface SupervisorContext {
  readonly launcher: Launcher;
  readonly clock: Clock;
  readonly emit: (event: ChoirEvent) => void;
}

/** How the supervisor's life ended. */
export interface Outcome {
  readonly code: ExitCode;
  /** Why, when it was not asked to. */
  readonly error?: ChoirError;
}

export class Supervisor {
  /** Resolved when every instance is gone and nothing will follow. */
  readonly finished: Promise<Outcome>;
  readonly #options: SupervisorOptions;
  readonly #context: SupervisorContext;
  readonly #slots: readonly Slot[];
  /** Every process that has not been seen to exit, drained ones included. */
  readonly #live = new Set<Instance>();
  readonly #observer: InstanceObserver;
  /** Causes of failed starts that have been said: a failure is said once, not once per instance. */
  readonly #saidCauses = new Set<string>();
  #finish!: (outcome: Outcome) => void;
  #outcome: Outcome | undefined;
  #everReady = false;
  #generation = 0;

  constructor(options: SupervisorOptions, context: SupervisorContext) {
    this.#options = options;
    this.#context = context;
    this.#slots = Array.from({ length: options.instances }, (_, id) => new Slot(id));
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
    this.#observer = {
      ready: (instance) => this.#ready(instance),
      leaving: (instance, reason) => this.#leaving(instance, reason),
      killing: (instance, why, openRequests) => this.#killing(instance, why, openRequests),
      exited: (instance, exit) => this.#exited(instance, exit),
    };
  }

  start(): void {
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
    for (const instance of this.#live) instance.kill(`${by}, for the second time`);
  }

  #fill(slot: Slot): void {
    slot.cancelRespawn();
    const restarts = slot.restarts + 1;
    const instance = this.#context.launcher.launch(
      { slot: slot.id, generation: this.#generation, restarts },
      this.#observer,
    );
    this.#live.add(instance);
    slot.admit(instance);
  }

  #ready(instance: Instance): void {
    this.#everReady = true;
    const urls = this.#options.urls;
    const startMs = Math.round(this.#context.clock.now() - instance.spawnedAt);
    this.#context.emit({ event: "instance-ready", ...placeOf(instance), url: urls[0] ?? "", urls, startMs });
    this.#slotOf(instance).promote(instance)?.drain("replaced");
  }

  #leaving(instance: Instance, reason: LeavingReason): void {
    this.#context.emit({ event: "instance-leaving", ...placeOf(instance), reason });
    const slot = this.#slotOf(instance);
    if (this.#outcome !== undefined || !this.#options.respawn || slot.current !== instance) instance.drain("replaced");
    else if (slot.successor === undefined) {
      // It counts as a quick exit where it happens, so that a request that fails each time it is asked makes no storm of processes.
      if (reason === "uncaught")
        slot.history = remember(slot.history, { readyMs: instance.readyFor ?? null, timedOut: false });
      const delay = reason === "uncaught" ? this.#delay(slot) : 0;
      if (delay === 0) this.#fill(slot);
      else slot.await(this.#context.clock.after(delay, () => this.#fill(slot)));
    }
  }

  #killing(instance: Instance, why: string, openRequests: readonly OpenRequest[]): void {
    this.#context.emit({ event: "instance-killed", ...placeOf(instance), why, openRequests });
    // Asked to stop, but not everyone stopped: that is not exit code 0.
    if (this.#outcome?.code === EXIT.ok) this.#outcome = { code: EXIT.fatal };
  }

  #exited(instance: Instance, exit: InstanceExit): void {
    this.#live.delete(instance);
    const slot = this.#slotOf(instance);
    const vacant = slot.release(instance);
    if (exit.reason !== "uncaught")
      slot.history = remember(slot.history, { readyMs: exit.readyMs, timedOut: exit.reason === "start-timeout" });
    const failure = exit.readyMs === null && exit.reason !== "asked" ? this.#saidFailure(instance, exit) : undefined;
    const hopeless = failure !== undefined && this.#isHopeless(exit);
    const respawnMs =
      vacant && this.#outcome === undefined && this.#options.respawn && !hopeless ? this.#delay(slot) : null;
    this.#context.emit({
      event: "instance-exited",
      ...placeOf(instance),
      reason: exit.reason,
      code: exit.code,
      signal: exit.signal,
      uptimeMs: Math.round(exit.uptimeMs),
      respawnMs,
      repeated: failure?.repeated ?? false,
    });
    if (respawnMs !== null) slot.await(this.#context.clock.after(respawnMs, () => this.#fill(slot)));
    if (hopeless) this.#end({ code: EXIT.unavailable, error: startError(failure.error) });
    this.#concludeIfEmpty();
  }

  /** Says why a start failed, unless the same has been said before. */
  #saidFailure(instance: Instance, exit: InstanceExit): { error: SentError; repeated: boolean } {
    const error = exit.error ?? endedEarly(exit);
    const repeated = this.#saidCauses.has(error.message);
    if (!repeated) {
      this.#saidCauses.add(error.message);
      this.#context.emit({
        event: "instance-start-failed",
        ...placeOf(instance),
        error: error.message,
        code: error.code,
        stack: error.text,
      });
    }
    return { error, repeated };
  }

  /** No instance was ever ready, and going on would not change it. */
  #isHopeless(exit: InstanceExit): boolean {
    if (this.#everReady || this.#outcome !== undefined) return false;
    const histories = this.#slots.map((slot) => slot.history);
    const allEnded = !this.#options.respawn && this.#live.size === 0;
    return (
      exit.final ||
      allEnded ||
      exit.error?.code === "ERR_CHOIR_ADDRESS_IN_USE" ||
      hasFailedToStart(histories, this.#everReady)
    );
  }

  #delay(slot: Slot): number {
    return respawnDelay(slot.history, this.#context.clock.random());
  }

  #end(outcome: Outcome): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = outcome;
    for (const slot of this.#slots) slot.cancelRespawn();
    for (const instance of this.#live) instance.drain("stop");
    this.#concludeIfEmpty();
  }

  #concludeIfEmpty(): void {
    if (this.#live.size > 0) return;
    if (this.#outcome === undefined && !this.#options.respawn) {
      this.#context.emit({ event: "all-crashed" });
      const error = new ChoirError(
        "ERR_CHOIR_ALL_CRASHED",
        "Every instance has ended, and --no-respawn forbids new ones",
      );
      this.#outcome = { code: error.exitCode, error };
    }
    if (this.#outcome !== undefined) this.#finish(this.#outcome);
  }

  #slotOf(instance: Instance): Slot {
    const slot = this.#slots[instance.slot];
    if (slot === undefined) throw new Error(`There is no slot ${instance.slot}. This is a bug in Choir`);
    return slot;
  }
}

function placeOf(instance: Instance): { instance: number; generation: number; pid: number } {
  return { instance: instance.slot, generation: instance.generation, pid: instance.pid };
}

/** What is known of a start that failed without a word over IPC: killed, timed out, or ended by the app itself. */
function endedEarly(exit: InstanceExit): SentError {
  const how = exit.signal === null ? `with exit code ${exit.code}` : `by ${exit.signal}`;
  const message =
    exit.reason === "start-timeout"
      ? "The instance was not ready by --start-timeout: configureServer did not return, or ready() was not called"
      : `The process ended ${how} before it was ready`;
  return { name: "Error", message, text: message };
}

function startError(error: SentError): ChoirError {
  if (error.code === "ERR_CHOIR_ADDRESS_IN_USE") {
    return new ChoirError(
      "ERR_CHOIR_ADDRESS_IN_USE",
      "Another process began to listen on the address at the same time",
      {
        hint: "Stop the other program, or choose another --port",
      },
    );
  }
  return new ChoirError("ERR_CHOIR_START", `No instance could be started: ${error.message}`, {
    hint: "The log above has the whole error of the first failure",
  });
}
