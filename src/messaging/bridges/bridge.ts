/**
 * Carries messages and retained values between this supervisor's broker and an engine that the supervisors of other machines are
 * connected to as well. Runs in the supervisor. Local delivery never waits for it: to the broker it is one more subscriber, which
 * reads at once; what the engine does not take waits here, within a limit.
 */
import { randomBytes } from "node:crypto";
import type { Clock, Timer } from "../../clock.ts";
import { describeThrown } from "../../errors.ts";
import type { Broker } from "../broker.ts";
import type { Engine, EngineConnection } from "./engine.ts";
import { Greeting } from "./greeting.ts";
import { Link } from "./link.ts";
import type { Names } from "./names.ts";
import type { BridgeReport, BridgeStats } from "./reports.ts";
import { Sender } from "./sender.ts";
import type { SharedLocks } from "./shared-locks.ts";
import { SharedRequests } from "./shared-requests.ts";
import { Traffic } from "./traffic.ts";

export interface BridgeOptions {
  readonly broker: Broker;
  readonly engine: Engine;
  /** The locks that the broker asks. */
  readonly locks: SharedLocks;
  readonly names: Names;
  /** What people call this supervisor: of `machineName`. */
  readonly machine: string;
  /** Bytes of messages that may wait for the engine. */
  readonly bufferLimit: number;
  readonly clock: Clock;
  readonly report: (report: BridgeReport) => void;
}

/** How long a start waits for the engine and the retained values that it has, in milliseconds. */
const START_WAIT_MS = 3000;
/** How long the end waits for what has not been sent. */
const END_WAIT_MS = 2000;

export class Bridge {
  readonly #options: BridgeOptions;
  readonly #names: Names;
  readonly #traffic: Traffic;
  readonly #sender: Sender;
  readonly #requests: SharedRequests;
  readonly #greeting: Greeting;
  readonly #link: Link;
  #state: BridgeStats["state"] = "connecting";
  /** What was said of the outage. */
  readonly #failures = new Set<string>();
  #connections = 0;
  #started: () => void = () => {};
  #startTimer: Timer | undefined;

  constructor(options: BridgeOptions) {
    this.#options = options;
    const { broker, clock, engine, names, bufferLimit } = options;
    const origin = randomBytes(8).toString("hex");
    this.#names = names;
    this.#traffic = new Traffic({
      names,
      origin,
      clock,
      limit: bufferLimit,
      onWaiting: () => this.#sender.wake(),
      onLost: (lost, over) => options.report({ event: "engine-dropped", ...lost, over }),
      onWarning: (text) => this.#warn(text),
    });
    this.#sender = new Sender(this.#traffic.outgoing);
    this.#requests = this.#openRequests(origin);
    this.#greeting = new Greeting({
      names,
      origin,
      clock,
      onGathered: () => this.#onGathered(),
      onJoined: (other) => this.#requests.joined(other),
      onGreeted: (other) => this.#requests.greeted(other),
      onLeft: (other) => this.#requests.left(other),
    });
    this.#link = this.#openLink();
    const connection = {
      id: engine.kind,
      stream: this.#traffic.pipe,
      onBroken: (error: Error) => this.#warn(`It carries nothing any more, which is a bug in Choir: ${error.message}`),
      onOverload: () => {},
    };
    broker.connectBridge(connection, () => this.stats);
  }

  /**
   * Begins to connect. Resolves when the retained values of others are here, or that has failed, or after 3 s: an app starts
   * without its engine.
   */
  async start(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#started = resolve;
      this.#startTimer = this.#options.clock.after(START_WAIT_MS, resolve);
      this.#link.start();
    });
    this.#startTimer?.cancel();
  }

  /** What it holds and has done. */
  get stats(): BridgeStats {
    const { kind, url } = this.#options.engine;
    const { outgoing } = this.#traffic;
    return {
      engine: kind,
      url,
      state: this.#state,
      peers: this.#greeting.peers,
      sent: this.#sender.sent,
      sentBytes: this.#sender.sentBytes,
      ...this.#traffic.counts,
      ...outgoing.lost,
      waiting: outgoing.length,
      waitingBytes: outgoing.bytes,
      reconnects: Math.max(0, this.#connections - 1),
    };
  }

  /** Sends what waits, for 2 s at most, and ends the connection. */
  async close(): Promise<void> {
    const { connection } = this.#link;
    if (connection !== undefined) {
      this.#sender.open(connection);
      await new Promise<void>((resolve) => {
        this.#options.clock.after(END_WAIT_MS, resolve);
        void Promise.all([this.#sender.drained(), this.#options.locks.close()])
          .then(() => this.#greeting.goodbye())
          .then(resolve);
      });
    }
    this.#disconnect("closed");
    await this.#link.close();
    this.#traffic.pipe.destroy();
  }

  #openRequests(origin: string): SharedRequests {
    const { broker, names, machine, clock, bufferLimit } = this.#options;
    return new SharedRequests({
      desk: broker.requests,
      names,
      origin,
      machine,
      clock,
      limit: bufferLimit,
      isReached: () => this.#state === "connected",
      onMalformed: (subject) => this.#traffic.refuse(subject),
      onWarning: (text) => this.#warn(text),
    });
  }

  #openLink(): Link {
    const { clock, engine } = this.#options;
    return new Link({
      engine,
      clock,
      listener: {
        message: (subject, data) => this.#onMessage(subject, data),
        warning: (text) => this.#warn(text),
      },
      onConnected: (connection) => this.#onConnected(connection),
      onLost: (reason) => this.#onLost(reason),
      onFailed: (error) => {
        this.#sayUnreachable(error);
        this.#started();
      },
    });
  }

  #onConnected(connection: EngineConnection): void {
    const { kind, url } = this.#options.engine;
    this.#connections++;
    this.#failures.clear();
    this.#state = "gathering";
    connection.subscribe(this.#names.peers);
    connection.subscribe(this.#names.allRetained);
    if (connection.locks !== undefined) connection.subscribe(this.#names.locks);
    this.#traffic.interest.connect(connection);
    this.#options.report({ event: "engine-connected", engine: kind, url });
    this.#greeting.connected(connection);
    this.#requests.connect(connection);
    this.#options.locks.connect(connection);
    void this.#share(connection);
  }

  /** Gets the retained values that there are, and gives those that are missing. */
  async #share({ values }: EngineConnection): Promise<void> {
    try {
      if (values !== undefined) await this.#traffic.values.connect(values);
    } catch (error) {
      if (this.#state !== "connecting") this.#warn(`Retained values cannot be read: ${describeThrown(error)}`);
    }
    this.#started();
  }

  #onGathered(): void {
    const { connection } = this.#link;
    if (connection === undefined) return;
    this.#state = "connected";
    this.#sender.open(connection);
  }

  #onLost(reason: unknown): void {
    this.#disconnect("connecting");
    this.#sayUnreachable(reason ?? new Error("the connection was closed"));
  }

  #disconnect(state: BridgeStats["state"]): void {
    this.#state = state;
    this.#sender.shut();
    this.#traffic.interest.connect(undefined);
    this.#traffic.values.disconnect();
    this.#greeting.disconnected();
    this.#requests.disconnect();
    this.#options.locks.disconnect();
  }

  #onMessage(subject: string, data: Uint8Array): void {
    if (subject === this.#names.peers) this.#greeting.heard(data);
    else if (subject === this.#names.locks) this.#options.locks.heard(data);
    else if (this.#names.isOfRequests(subject)) this.#requests.heard(subject, data);
    else this.#traffic.receive(subject, data);
  }

  /** Once for each outage and cause: it is tried again every two seconds. */
  #sayUnreachable(thrown: unknown): void {
    const error = describeThrown(thrown);
    if (this.#failures.has(error)) return;
    this.#failures.add(error);
    const { kind, url } = this.#options.engine;
    this.#options.report({ event: "engine-unreachable", engine: kind, url, error });
  }

  #warn(warning: string): void {
    this.#options.report({ event: "engine-warning", engine: this.#options.engine.kind, warning });
  }
}
