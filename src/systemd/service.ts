/**
 * Tells the service manager how the service is doing: what it says at which event, and when it says so again. Runs in the supervisor;
 * sender.ts brings it there.
 */
import type { Clock, Timer } from "../clock.ts";
import { describeEvent } from "../describe-event.ts";
import type { ChoirEvent } from "../events.ts";
import type { Snapshot } from "../supervisor/snapshot.ts";
import type { NotifyMessage } from "./sender.ts";

export interface ServiceContext {
  readonly send: (message: NotifyMessage) => void;
  readonly snapshot: () => Snapshot;
  readonly clock: Clock;
  /** Microseconds of CLOCK_MONOTONIC. */
  readonly monotonicUsec: () => bigint;
  /** Undefined when the service manager has no watchdog for this service. */
  readonly watchdogMs: number | undefined;
}

/** While something lasts that the service manager has a timeout for, it is asked for this much more … */
const EXTEND_USEC = 30_000_000;
/** … every so many milliseconds: how long it really may take is decided here, by --start-timeout and its like. */
const EXTEND_EVERY_MS = 10_000;
/** How often the figures are brought up to date, in milliseconds. */
const STATUS_EVERY_MS = 10_000;

const EXTEND = `EXTEND_TIMEOUT_USEC=${EXTEND_USEC}`;

export class Service {
  readonly #context: ServiceContext;
  readonly #timers = new Map<"extend" | "status" | "watchdog", Timer>();
  #isReady = false;
  #isStopping = false;
  #status = "";
  /** Why the last rolling restart was taken back: stays visible until the next one. */
  #failure = "";

  constructor(context: ServiceContext) {
    this.#context = context;
  }

  /** The instances are about to be started. */
  start(): void {
    const { instances } = this.#context.snapshot();
    this.#say([], `Starting ${instances} ${instances === 1 ? "instance" : "instances"}`, [EXTEND]);
    this.#every("extend", EXTEND_EVERY_MS, () => this.#context.send([EXTEND]));
    const { watchdogMs } = this.#context;
    // Half of it, as sd_watchdog_enabled(3) recommends.
    if (watchdogMs !== undefined) this.#every("watchdog", watchdogMs / 2, () => this.#context.send(["WATCHDOG=1"]));
  }

  /** Something happened in the supervisor. */
  handle(event: ChoirEvent): void {
    if (event.event === "instance-ready" && !this.#isReady && !this.#isStopping) this.#becomeReady();
    else if (event.event === "restart-started") this.#reload(event);
    else if (event.event === "restart-finished") this.#reloaded(event);
    else if (event.event === "stopping") this.#stop(describeEvent(event).message);
  }

  /** Nothing more is said after this, but why it ended, if not as asked. */
  end(why?: string): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    if (why !== undefined) this.#say([], why);
  }

  #becomeReady(): void {
    this.#isReady = true;
    this.#cancel("extend");
    this.#say(["READY=1"], this.#figures());
    this.#every("status", STATUS_EVERY_MS, () => this.#refresh());
  }

  #reload(event: Extract<ChoirEvent, { event: "restart-started" }>): void {
    // Before the first instance is ready the service is still starting, for the service manager.
    if (this.#isStopping || !this.#isReady) return;
    this.#failure = "";
    this.#cancel("status");
    // The time tells this reload from an earlier one, and must not be before the signal that asked for it.
    const since = `MONOTONIC_USEC=${this.#context.monotonicUsec()}`;
    this.#say(["RELOADING=1", since], describeEvent(event).message, [EXTEND]);
    this.#every("extend", EXTEND_EVERY_MS, () => this.#context.send([EXTEND]));
  }

  #reloaded(event: Extract<ChoirEvent, { event: "restart-finished" }>): void {
    if (this.#isStopping || !this.#isReady || event.outcome === "stopped") return;
    this.#cancel("extend");
    if (event.outcome !== "done") this.#failure = describeEvent(event).message;
    this.#say(["READY=1"], this.#figures());
    this.#every("status", STATUS_EVERY_MS, () => this.#refresh());
  }

  #stop(why: string): void {
    this.#isStopping = true;
    this.#cancel("status");
    this.#say(["STOPPING=1"], why, [EXTEND]);
    this.#every("extend", EXTEND_EVERY_MS, () => this.#context.send([EXTEND]));
  }

  #refresh(): void {
    if (this.#figures() !== this.#status) this.#say([], this.#figures());
  }

  #say(state: NotifyMessage, status: string, more: NotifyMessage = []): void {
    this.#status = status;
    // A line feed would begin another assignment: what an app has written is among these words.
    this.#context.send([...state, `STATUS=${status.replaceAll(/\s+/g, " ").slice(0, 500)}`, ...more]);
  }

  #figures(): string {
    const figures = statusLine(this.#context.snapshot());
    return this.#failure === "" ? figures : `${figures}; ${this.#failure}`;
  }

  #every(name: "extend" | "status" | "watchdog", ms: number, callback: () => void): void {
    this.#cancel(name);
    const next = (): void => {
      this.#timers.set(
        name,
        this.#context.clock.after(ms, () => {
          next();
          callback();
        }),
      );
    };
    next();
  }

  #cancel(name: "extend" | "status" | "watchdog"): void {
    this.#timers.get(name)?.cancel();
    this.#timers.delete(name);
  }
}

/** What `systemctl status` shows of a running service: `2 of 2 instances ready, generation 1, 134 MB, 1204 requests`. */
export function statusLine({ ready, instances, generation, slots }: Snapshot): string {
  const heard = slots.flatMap((slot) => slot.instances.flatMap(({ statistics }) => statistics ?? []));
  const sum = (figure: "rss" | "requests"): number => heard.reduce((total, each) => total + each[figure], 0);
  const figures = heard.length === 0 ? "" : `, ${Math.round(sum("rss") / 1e6)} MB, ${sum("requests")} requests`;
  return `${ready} of ${instances} ${instances === 1 ? "instance" : "instances"} ready, generation ${generation}${figures}`;
}
