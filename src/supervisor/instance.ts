/**
 * One process as its supervisor sees it: state, deadlines and how it ended. Its other side is src/instance/lifecycle.ts.
 * An object is one process: it is never used again.
 */
import type { Clock, Timer } from "../clock.ts";
import type { ExitReason, RecycleReason } from "../events.ts";
import { isMeasured, type Measured } from "../measured.ts";
import {
  type DrainReason,
  isOpenRequests,
  isSentError,
  isStatistics,
  type OpenRequest,
  type Question,
  type SentError,
  type Statistics,
  type ToSupervisor,
} from "../protocol.ts";
import type { Child, ChildExit } from "./child.ts";
import { Inquiries } from "./inquiries.ts";
import { type InstanceState, mayFollow } from "./states.ts";

export interface InstanceSpec {
  /** The slot's number. */
  readonly slot: number;
  readonly generation: number;
  readonly uid: string;
}

export interface InstanceContext {
  readonly limits: InstanceLimits;
  readonly clock: Clock;
  readonly observer: InstanceObserver;
  /** The last lines of its stderr. */
  readonly lastWords: () => readonly string[];
}

export interface InstanceLimits {
  /** Milliseconds from the spawn until it must be ready. */
  readonly startTimeout: number;
  /** Milliseconds from the order to drain until it is killed. */
  readonly shutdownTimeout: number;
}

/** How an instance ended. */
export interface InstanceExit {
  readonly reason: ExitReason;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Milliseconds for which it was ready; null when it never was. */
  readonly readyMs: number | null;
  readonly uptimeMs: number;
  /** What it said when it could not start, or the system's reason for not starting it. */
  readonly error?: SentError;
  /** It said that trying again does not help. */
  readonly final: boolean;
  /** What is known of why it ended, beyond code and signal. */
  readonly note?: string;
}

/** Why an instance has to be replaced: a signal of its own, an uncaught error, garbage on its pub/sub pipe, or a limit that it reached. */
export type LeavingReason = "left" | "uncaught" | "broken-pipe" | RecycleReason;

/** What an instance tells the one who keeps it. */
export interface InstanceObserver {
  ready(instance: Instance): void;
  /** It has to be replaced; it serves until it is told to drain. */
  leaving(instance: Instance, reason: LeavingReason): void;
  killing(instance: Instance, why: string, openRequests: readonly OpenRequest[]): void;
  /** What it counted since it said so last. */
  measured(instance: Instance, measured: Measured): void;
  exited(instance: Instance, exit: InstanceExit): void;
}

export class Instance {
  readonly slot: number;
  readonly generation: number;
  readonly uid: string;
  readonly pid: number;
  readonly spawnedAt: number;
  /** What it wrote to stderr last. */
  readonly lastWords: () => readonly string[];
  /** What it last said of itself; null before the first heartbeat. */
  statistics: Statistics | null = null;
  readonly #child: Child;
  readonly #limits: InstanceLimits;
  readonly #clock: Clock;
  readonly #observer: InstanceObserver;
  #state: InstanceState = "starting";
  #readyAt: number | undefined;
  #heardAt: number | undefined;
  #excuses = 0;
  #longRequests: readonly OpenRequest[] = [];
  /** Why it is to be replaced, by what was said last. */
  #leaving: LeavingReason | undefined;
  #deadline: Timer;
  /** Set as soon as it is known why it is going to end; the exit itself then changes nothing. */
  #reason: ExitReason | undefined;
  #error: SentError | undefined;
  #final = false;
  #openRequests: readonly OpenRequest[] = [];
  readonly #inquiries: Inquiries;

  constructor(child: Child, spec: InstanceSpec, context: InstanceContext) {
    this.#child = child;
    this.#limits = context.limits;
    this.#clock = context.clock;
    this.#observer = context.observer;
    this.lastWords = context.lastWords;
    this.slot = spec.slot;
    this.generation = spec.generation;
    this.uid = spec.uid;
    this.pid = child.pid;
    this.spawnedAt = this.#clock.now();
    this.#inquiries = new Inquiries((message) => child.send(message), this.#clock);
    this.#deadline = this.#clock.after(this.#limits.startTimeout, () => {
      this.#reason = "start-timeout";
      this.kill(`not ready after ${this.#limits.startTimeout} ms (--start-timeout)`);
    });
    child.onMessage((message) => this.#receive(message));
    void child.exited.then((exit) => this.#exit(exit));
  }

  /** How events name it. */
  get place(): { readonly instance: number; readonly generation: number; readonly pid: number } {
    return { instance: this.slot, generation: this.generation, pid: this.pid };
  }

  get state(): InstanceState {
    return this.#state;
  }

  /** Milliseconds since it got ready; undefined while it is not. */
  get readyFor(): number | undefined {
    return this.#readyAt === undefined ? undefined : this.#clock.now() - this.#readyAt;
  }

  /** When it was heard last, by the clock; undefined until it was ready. */
  get heardAt(): number | undefined {
    return this.isExcused ? this.#clock.now() : this.#heardAt;
  }

  /** Whether somebody looks into it. */
  get isExcused(): boolean {
    return this.#excuses > 0;
  }

  /** Counts as heard until the function it returns is called: what it was asked for may block its event loop for long. */
  excuse(): () => void {
    this.#excuses += 1;
    return () => {
      this.#excuses -= 1;
      this.#heardAt = this.#clock.now();
    };
  }

  /** The oldest requests that it had been working on for long when it was heard last. */
  get longRequests(): readonly OpenRequest[] {
    return this.#longRequests;
  }

  /** Whether it is to be replaced, and serves until then. */
  get isLeaving(): boolean {
    return this.#leaving !== undefined;
  }

  /** Has it close some connections, each with its next answer. */
  letGo(connections: number): void {
    this.#child.send({ choir: "let-go", connections });
  }

  /** Tells it to answer what it has and to end; kills it at --shutdown-timeout. A second order changes nothing. */
  drain(reason: DrainReason): void {
    if (!this.#enter("draining")) return;
    this.#reason ??= "asked";
    this.#child.send({ choir: "drain", reason });
    this.#deadline.cancel();
    this.#deadline = this.#clock.after(this.#limits.shutdownTimeout, () => {
      this.kill(`still open ${this.#limits.shutdownTimeout} ms after it was told to drain (--shutdown-timeout)`);
    });
  }

  /** Ends it now. Until its exit is seen nothing follows: the kernel may take its time. */
  kill(why: string, reason: ExitReason = "killed"): void {
    if (!this.#enter("killing")) return;
    this.#deadline.cancel();
    if (this.#reason === undefined || this.#reason === "asked" || reason !== "killed") this.#reason = reason;
    this.#observer.killing(this, why, this.#openRequests);
    this.#child.kill("SIGKILL");
  }

  /** Its pub/sub pipe carried garbage: it is replaced, with its requests answered, as by a wish of its own. */
  breakOff(): void {
    this.#reason ??= "broken-pipe";
    if (this.#state === "ready") this.leave("broken-pipe");
    else this.kill("it wrote something that is no frame on its pub/sub pipe");
  }

  /** Asks it for something; the answer comes in parts. Throws NoAnswer when it ends, refuses or says nothing for `silenceMs`. */
  ask(question: Question, silenceMs: number): AsyncGenerator<Buffer, void> {
    return this.#inquiries.ask(question, silenceMs);
  }

  /** Has it replaced: it serves until another one is ready, and drains then. */
  leave(reason: LeavingReason): void {
    // An app may say it again and again: that is no news, and must not put off what follows.
    if (this.#state !== "ready" || this.#leaving === reason) return;
    this.#leaving = reason;
    this.#reason ??= reason;
    this.#observer.leaving(this, reason);
  }

  #receive(message: ToSupervisor): void {
    switch (message.choir) {
      case "ready":
        if (!this.#enter("ready")) return;
        this.#deadline.cancel();
        this.#readyAt = this.#clock.now();
        this.#heardAt = this.#readyAt;
        this.#observer.ready(this);
        return;
      case "start-failed":
        if (isSentError(message.error)) this.#error = message.error;
        this.#final = message.final;
        return;
      case "leaving":
        this.leave(message.reason === "uncaught" ? "uncaught" : "left");
        return;
      case "heartbeat":
        this.#heardAt = this.#clock.now();
        if (isStatistics(message.statistics)) this.statistics = message.statistics;
        if (isMeasured(message.measured)) this.#observer.measured(this, message.measured);
        this.#longRequests = isOpenRequests(message.openRequests) ? message.openRequests : [];
        return;
      case "open-requests":
        if (isOpenRequests(message.requests)) this.#openRequests = message.requests;
        return;
      case "answer":
        this.#inquiries.hear(message);
        return;
      case "listen":
      case "unlisten":
      case "http1-only":
      case "declared":
      // Of the app, not of this instance: src/supervisor/tls.ts and kept-options.ts say it once.
    }
  }

  #exit({ code, signal, spawnError, explanation }: ChildExit): void {
    const wasKilled = this.#state === "killing";
    if (!this.#enter("exited")) return;
    this.#deadline.cancel();
    this.#inquiries.end();
    // Who is killed here may have been out of memory as well, but it is not why it ended.
    const { reason, note } = wasKilled || explanation === undefined ? {} : explanation;
    const error = spawnError === undefined ? this.#error : sentSpawnError(spawnError);
    const byItself = this.#readyAt === undefined ? "start-failed" : "crashed";
    this.#observer.exited(this, {
      reason: reason ?? this.#reason ?? byItself,
      code,
      signal,
      readyMs: this.readyFor ?? null,
      uptimeMs: this.#clock.now() - this.spawnedAt,
      ...(error === undefined ? {} : { error }),
      // 78 is the exit code that says "do not start me again".
      final: this.#final || code === 78,
      ...(note === undefined ? {} : { note }),
    });
  }

  #enter(next: InstanceState): boolean {
    if (!mayFollow(this.#state, next)) return false;
    this.#state = next;
    return true;
  }
}

function sentSpawnError(error: Error): SentError {
  const code = (error as NodeJS.ErrnoException).code;
  return {
    name: error.name,
    message: `The process could not be started: ${error.message}`,
    text: error.message,
    ...(code === undefined ? {} : { code }),
  };
}
