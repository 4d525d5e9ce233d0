/**
 * One lock of all machines, as far as the instances of this supervisor are concerned: brings its record at the engine in line with
 * what they want, and them in line with the record. Runs in the supervisor, for shared-locks.ts.
 */
import { ChoirError, quote } from "../../errors.ts";
import type { LockClaim } from "../lock-authority.ts";
import type { LockStore } from "./engine.ts";
import { decodeRecord, encodeRecord, nextStep, type LockRecord, type OwnClaim, type Step } from "./lock-record.ts";

/** The session and the store that it lives at. */
export interface LockAccess {
  readonly session: string;
  readonly store: LockStore;
}

/** What a queue needs of its owner. */
export interface LockQueueHost {
  /** While locks can be had: the session is certainly alive at this moment, by the clock. */
  access(): LockAccess | undefined;
  nextId(): number;
  /** Tells other supervisors that the record has changed. */
  changed(name: string): void;
  /** Nobody here wants it any more. */
  empty(name: string): void;
}

interface Entry {
  id: number;
  state: OwnClaim["state"];
}

/** How often a change is tried against those of others before it waits for the next occasion. */
const TRIES = 100;

export class LockQueue {
  readonly #name: string;
  readonly #host: LockQueueHost;
  readonly #entries = new Map<LockClaim, Entry>();
  #running: Promise<void> | undefined;
  #again = false;
  /** Sessions found to have ended, since they end but once. */
  readonly #dead = new Set<string>();

  constructor(name: string, host: LockQueueHost) {
    this.#name = name;
    this.#host = host;
  }

  add(claim: LockClaim): void {
    this.#entries.set(claim, { id: this.#host.nextId(), state: "new" });
    void this.sync();
  }

  /** Resolves when others can have it, or the engine cannot be asked. */
  remove(claim: LockClaim): Promise<void> {
    if (!this.#entries.delete(claim)) return Promise.resolve();
    return this.sync();
  }

  /** Brings both sides in line; one that is under way does it once more. */
  sync(): Promise<void> {
    this.#again = true;
    this.#running ??= this.#run();
    return this.#running;
  }

  /** The session has ended: what was held is lost, and what waits waits anew under the next one. */
  sessionEnded(): void {
    for (const [claim, entry] of this.#entries) {
      if (entry.state === "held") {
        this.#entries.delete(claim);
        claim.lost(lostError(this.#name));
      } else this.#entries.set(claim, { id: this.#host.nextId(), state: "new" });
    }
  }

  /** Refuses all that wait: there will be no locks. */
  refuse(error: ChoirError): void {
    const claims = [...this.#entries.keys()];
    this.#entries.clear();
    for (const claim of claims) claim.refused(error);
  }

  /** Refuses those that would rather not wait. */
  refuseImpatient(error: ChoirError): void {
    for (const [claim, { state }] of this.#entries) {
      if (state !== "new" || !(claim.ifAvailable || claim.steal)) continue;
      this.#entries.delete(claim);
      claim.refused(error);
    }
  }

  async #run(): Promise<void> {
    let isSettled = false;
    while (this.#again) {
      this.#again = false;
      // Without connection: the next session, or the next round, does it.
      isSettled = await this.#settle().catch(() => false);
    }
    // At once: what is asked from here on needs a run of its own.
    this.#running = undefined;
    if (isSettled && this.#entries.size === 0) this.#host.empty(this.#name);
  }

  /** Whether the record is as it should be. */
  async #settle(): Promise<boolean> {
    for (let tries = 0; tries < TRIES; tries++) {
      const access = this.#host.access();
      if (access === undefined) return false;
      const { store, session } = access;
      const { bytes, revision } = await store.read(this.#name);
      const record = decodeRecord(bytes);
      const step = await this.#step(record, access);
      const written = step.changed ? await store.write(this.#name, encodeRecord(step.record), revision) : revision;
      if (this.#host.access()?.session !== session) return false;
      if (written === undefined) continue;
      if (step.changed) this.#host.changed(this.#name);
      this.#apply(step, written);
      if (step.granted === undefined) return true;
    }
    return false;
  }

  async #step(record: LockRecord, access: LockAccess): Promise<Step> {
    const decide = (): Step => nextStep(record, { session: access.session, own: this.#own(), dead: this.#dead });
    const step = decide();
    // Whoever is in the way may have died.
    const isWaiting = [...this.#entries.values()].some(({ id, state }) => state !== "held" && id !== step.granted);
    return isWaiting && (await this.#findDead(record, access)) ? decide() : step;
  }

  /** Whether some have been found that were not known to be dead. */
  async #findDead(record: LockRecord, { store, session }: LockAccess): Promise<boolean> {
    const others = new Set(record.map((entry) => entry.session));
    others.delete(session);
    for (const dead of this.#dead) if (!others.has(dead)) this.#dead.delete(dead);
    const before = this.#dead.size;
    for (const other of others) {
      if (!this.#dead.has(other) && !(await store.isAlive(other))) this.#dead.add(other);
    }
    return this.#dead.size > before;
  }

  #own(): OwnClaim[] {
    return [...this.#entries].map(([{ mode, owner, ifAvailable, steal }, { id, state }]) => ({
      id,
      state,
      mode,
      owner,
      ifAvailable,
      steal,
    }));
  }

  #apply(step: Step, revision: number): void {
    const listed = new Set(step.record.map(({ id }) => id));
    for (const [claim, entry] of this.#entries) {
      if (step.lost.includes(entry.id)) this.#end(claim, () => claim.lost(stolenError(this.#name)));
      else if (step.unavailable.includes(entry.id)) this.#end(claim, () => claim.unavailable());
      else if (step.granted === entry.id) this.#grant(claim, entry, revision);
      else if (entry.state === "new" && listed.has(entry.id)) entry.state = "waiting";
    }
  }

  #grant(claim: LockClaim, entry: Entry, revision: number): void {
    entry.state = "held";
    claim.granted(revision);
  }

  #end(claim: LockClaim, tell: () => void): void {
    this.#entries.delete(claim);
    tell();
  }
}

function lostError(name: string): ChoirError {
  return new ChoirError(
    "ERR_CHOIR_LOCK_LOST",
    `Lock ${quote(name)} is lost: the engine between machines could not be reached to renew its lease`,
  );
}

function stolenError(name: string): ChoirError {
  return new ChoirError("ERR_CHOIR_LOCK_STOLEN", `Lock ${quote(name)} was taken by a request with steal`);
}
