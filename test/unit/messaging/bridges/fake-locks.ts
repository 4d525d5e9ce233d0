/** Locks as an engine keeps them, with a clock, answers that take their time, and connections that break. */
import type { Clock, Timer } from "../../../../src/clock.ts";
import type { EngineConnection, LockStore, Versioned } from "../../../../src/messaging/bridges/engine.ts";
import type { Names } from "../../../../src/messaging/bridges/names.ts";
import type { SharedLocks } from "../../../../src/messaging/bridges/shared-locks.ts";

export const LEASE_MS = 10_000;

/** A process that stands still now and then, as one that collects garbage or was stopped: its timers and answers come late. */
export class StallingClock implements Clock {
  readonly #clock: Clock;
  #late: (() => void)[] | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isStalled(): boolean {
    return this.#late !== undefined;
  }

  now(): number {
    return this.#clock.now();
  }

  date(): number {
    return this.#clock.date();
  }

  random(): number {
    return this.#clock.random();
  }

  after(ms: number, callback: () => void): Timer {
    let isCancelled = false;
    const timer = this.#clock.after(ms, () => {
      this.#when(() => {
        if (!isCancelled) callback();
      });
    });
    return {
      cancel: () => {
        isCancelled = true;
        timer.cancel();
      },
    };
  }

  stall(): void {
    this.#late ??= [];
  }

  /** What came from outside meanwhile is seen before the timers that are due: the worst order. */
  async resume(): Promise<void> {
    const late = this.#late ?? [];
    this.#late = undefined;
    for (const go of this.#waiting.splice(0)) go();
    await new Promise((resolve) => setImmediate(resolve));
    for (const callback of late) callback();
  }

  /** Resolves at once, or when it goes on. */
  moving(): Promise<void> {
    if (!this.isStalled) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  readonly #waiting: (() => void)[] = [];

  #when(callback: () => void): void {
    if (this.#late === undefined) callback();
    else this.#late.push(callback);
  }
}

export class FakeLockServer {
  readonly records = new Map<string, { bytes: Buffer; revision: number }>();
  readonly #sessions = new Map<string, number>();
  readonly #once = new Map<string, Buffer>();
  readonly #connections = new Set<FakeLockConnection>();
  readonly #clock: Clock;
  #revision = 0;
  /** How long a question or an answer is on its way, in milliseconds. */
  latency: () => number = () => 0;
  /** Whether an answer is lost, though the question was heard. */
  losesAnswer: () => boolean = () => false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  connect(locks: SharedLocks, names: Names, clock: StallingClock): FakeLockConnection {
    const connection = new FakeLockConnection(this, locks, { names, clock });
    this.#connections.add(connection);
    locks.connect(connection);
    return connection;
  }

  disconnect(connection: FakeLockConnection): void {
    this.#connections.delete(connection);
    connection.target.disconnect();
  }

  isConnected(connection: FakeLockConnection): boolean {
    return this.#connections.has(connection);
  }

  wait(): Promise<void> {
    const ms = this.latency();
    return ms === 0 ? Promise.resolve() : new Promise((resolve) => void this.#clock.after(ms, resolve));
  }

  broadcast(from: FakeLockConnection, data: Buffer): void {
    for (const each of this.#connections) if (each !== from && !each.clock.isStalled) each.target.heard(data);
  }

  /** What the store of one connection does: heard, then answered, each with its way. */
  store(connection: () => FakeLockConnection): LockStore {
    const call = async <T>(act: () => T): Promise<T> => {
      await this.wait();
      if (!this.isConnected(connection())) throw new Error("not connected");
      const result = act();
      const isLost = this.losesAnswer();
      await this.wait();
      await connection().clock.moving();
      if (isLost || !this.isConnected(connection())) throw new Error("timeout");
      return result;
    };
    const isAlive = (session: string): boolean => (this.#sessions.get(session) ?? -1) > this.#clock.now();
    return {
      leaseMs: LEASE_MS,
      read: (name) =>
        call((): Versioned => {
          const record = this.records.get(name);
          return { bytes: record?.bytes, revision: record?.revision ?? 0 };
        }),
      write: (name, bytes, revision) =>
        call(() => {
          if ((this.records.get(name)?.revision ?? 0) !== revision) return undefined;
          if (bytes === undefined) {
            this.records.delete(name);
            return revision;
          }
          this.records.set(name, { bytes, revision: ++this.#revision });
          return this.#revision;
        }),
      list: (take) =>
        call(() => {
          for (const [name, { bytes }] of this.records) take(name, bytes);
        }),
      renew: (session) => call(() => void this.#sessions.set(session, this.#clock.now() + LEASE_MS)),
      isAlive: (session) => call(() => isAlive(session)),
      end: (session) => call(() => void this.#sessions.delete(session)),
      recall: (key) => call(() => this.#once.get(key)),
      remember: (key, bytes) => call(() => void this.#once.set(key, Buffer.from(bytes))),
    };
  }
}

export class FakeLockConnection implements EngineConnection {
  readonly maxPayload = 1_000_000;
  readonly values = undefined;
  readonly closed = new Promise<unknown>(() => {});
  readonly locks: LockStore;
  readonly target: SharedLocks;
  readonly clock: StallingClock;
  readonly #server: FakeLockServer;
  readonly #names: Names;

  constructor(server: FakeLockServer, target: SharedLocks, { names, clock }: { names: Names; clock: StallingClock }) {
    this.clock = clock;
    this.#server = server;
    this.target = target;
    this.#names = names;
    this.locks = server.store(() => this);
  }

  async send(messages: readonly { subject: string; data: Buffer }[]): Promise<void> {
    await this.#server.wait();
    for (const { subject, data } of messages) {
      if (subject === this.#names.locks && this.#server.isConnected(this)) this.#server.broadcast(this, data);
    }
  }

  subscribe(): void {}
  unsubscribe(): void {}
  close(): Promise<void> {
    return Promise.resolve();
  }
}
