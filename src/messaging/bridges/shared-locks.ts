/**
 * Locks of all machines, kept by the engine. Runs in the supervisor, where lock-desk.ts asks it for locks of scope "app".
 *
 * Who holds a lock is in one record for each name, which every change replaces as a whole (lock-record.ts): two cannot both be the
 * first. That a holder lives is said by its supervisor's session (session.ts), which ends here before it ends at the engine. The token
 * is the revision of the write that granted the lock: it only grows, and no two grants have the same.
 */
import type { Clock } from "../../clock.ts";
import { ChoirError, describeThrown, quote } from "../../errors.ts";
import { machineTime } from "../lease.ts";
import type { LockAuthority, LockClaim, LockInfo, LockState } from "../lock-authority.ts";
import type { EngineConnection, LockStore } from "./engine.ts";
import { LockQueue, type LockQueueHost } from "./lock-queue.ts";
import { decodeRecord } from "./lock-record.ts";
import type { Names } from "./names.ts";
import { Session } from "./session.ts";

export interface SharedLocksOptions {
  readonly names: Names;
  readonly clock: Clock;
  /** Whether the engine can keep locks at all. */
  readonly hasLocks: boolean;
}

/** How long a question waits for the engine, in milliseconds. */
const ANSWER_MS = 15_000;

export class SharedLocks implements LockAuthority {
  readonly #options: SharedLocksOptions;
  readonly #queues = new Map<string, LockQueue>();
  readonly #session: Session;
  #connection: EngineConnection | undefined;
  /** Why there are no locks, once that is known. */
  #never: ChoirError | undefined;
  #lastId = 0;
  #onProlonged: () => void = () => {};
  /** Those that wait for a session. */
  #onAccess: (() => void)[] = [];

  constructor(options: SharedLocksOptions) {
    this.#options = options;
    if (!options.hasLocks)
      this.#never = engineError(NEEDS_NATS, 'Use the lock for this machine only, with scope: "machine"');
    this.#session = new Session({
      clock: options.clock,
      onProlonged: () => this.#onProlonged(),
      onBegun: () => {
        for (const go of this.#onAccess.splice(0)) go();
        this.#syncAll();
      },
      onRenewed: () => this.#syncAll(),
      onEnded: () => {
        for (const queue of this.#queues.values()) queue.sessionEnded();
      },
    });
  }

  get leaseEnd(): number | undefined {
    const { end } = this.#session;
    return end === undefined ? undefined : machineTime(this.#options.clock, end);
  }

  onProlonged(listener: () => void): void {
    this.#onProlonged = listener;
  }

  request(claim: LockClaim): void {
    if (this.#never !== undefined) {
      claim.refused(this.#never);
      return;
    }
    if ((claim.ifAvailable || claim.steal) && this.#host.access() === undefined) {
      claim.refused(engineError(`Lock ${quote(claim.name)} cannot be asked for: ${UNREACHABLE}`));
      return;
    }
    let queue = this.#queues.get(claim.name);
    if (queue === undefined) this.#queues.set(claim.name, (queue = new LockQueue(claim.name, this.#host)));
    queue.add(claim);
  }

  async release(claim: LockClaim): Promise<void> {
    await this.#queues.get(claim.name)?.remove(claim);
  }

  async query(): Promise<LockState> {
    const held: LockInfo[] = [];
    const pending: LockInfo[] = [];
    if (this.#never !== undefined) return { held, pending };
    await this.#ask("Locks cannot be listed", (store) =>
      store.list((name, bytes) => {
        for (const { mode, owner, held: isHeld } of decodeRecord(bytes))
          (isHeld ? held : pending).push({ name, mode, owner });
      }),
    );
    return { held, pending };
  }

  recall(key: string): Promise<Uint8Array | undefined> {
    return this.#ask(`What came of ${quote(key)} cannot be read`, (store) => store.recall(key));
  }

  remember(key: string, bytes: Uint8Array): Promise<void> {
    return this.#ask(`The result of ${quote(key)} cannot be kept`, (store) => store.remember(key, bytes));
  }

  /** Takes a new connection, to which all subscriptions have been given. */
  connect(connection: EngineConnection): void {
    this.#connection = connection;
    if (connection.locks !== undefined) {
      this.#never = undefined;
      this.#session.connect(connection.locks);
      return;
    }
    if (!this.#options.hasLocks) return;
    this.#never = engineError(
      NEEDS_JETSTREAM,
      'The warning of the supervisor says why: start nats-server with -js, or use the lock for this machine only, with scope: "machine"',
    );
    for (const queue of this.#queues.values()) queue.refuse(this.#never);
    this.#queues.clear();
    for (const go of this.#onAccess.splice(0)) go();
  }

  disconnect(): void {
    this.#connection = undefined;
    this.#session.disconnect();
    for (const queue of this.#queues.values())
      queue.refuseImpatient(engineError(`The lock cannot be asked for: ${UNREACHABLE}`));
  }

  /** Another supervisor has changed a record. */
  heard(data: Uint8Array): void {
    void this.#queues.get(Buffer.from(data).toString("utf8"))?.sync();
  }

  /** Gives back what is left and ends the session, so that others need not wait for that. */
  async close(): Promise<void> {
    const queues = [...this.#queues.values()];
    await Promise.all(queues.map((queue) => queue.sync()));
    for (const queue of queues) queue.sessionEnded();
    await this.#session.close();
  }

  readonly #host: LockQueueHost = {
    access: () => {
      const store = this.#connection?.locks;
      return store === undefined || !this.#session.isAlive ? undefined : { session: this.#session.id, store };
    },
    nextId: () => ++this.#lastId,
    // Others look by themselves now and then: nothing is lost with a message.
    changed: (name) => {
      const message = { subject: this.#options.names.locks, data: Buffer.from(name) };
      this.#connection?.send([message]).catch(() => {});
    },
    empty: (name) => void this.#queues.delete(name),
  };

  #syncAll(): void {
    for (const queue of this.#queues.values()) void queue.sync();
  }

  async #ask<T>(what: string, question: (store: LockStore) => Promise<T>): Promise<T> {
    if (this.#never === undefined && this.#host.access() === undefined) await this.#accessible();
    if (this.#never !== undefined) throw this.#never;
    const store = this.#connection?.locks;
    if (store === undefined) throw engineError(`${what}: ${UNREACHABLE}`);
    try {
      return await question(store);
    } catch (error) {
      throw engineError(`${what}: ${describeThrown(error)}`, undefined, error);
    }
  }

  /** Waits for a session, for a while. */
  async #accessible(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.after(ANSWER_MS, resolve);
      this.#onAccess.push(() => {
        timer.cancel();
        resolve();
      });
    });
  }
}

const UNREACHABLE = "the engine between machines cannot be reached";
const NEEDS_NATS = "Locks, leaders and runOnce between machines need NATS, and --pub-sub-url is one of Redis";
const NEEDS_JETSTREAM =
  "Locks, leaders and runOnce between machines need JetStream, which cannot be used on this NATS server";

function engineError(message: string, hint?: string, cause?: unknown): ChoirError {
  return new ChoirError("ERR_CHOIR_LOCK_ENGINE", message, { ...(hint !== undefined && { hint }), cause });
}
