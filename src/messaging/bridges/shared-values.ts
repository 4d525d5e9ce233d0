/**
 * The retained values of all machines, as this supervisor knows them. Every value and every clear has a version; the newest wins
 * everywhere, in whatever order they arrive, so that all supervisors end with the same one. The engine's store has them for
 * supervisors that join later, and gets back what it lost. Runs in the supervisor.
 */
import type { Clock } from "../../clock.ts";
import { describeThrown } from "../../errors.ts";
import { isTopic } from "../topics.ts";
import type { ValueStore } from "./engine.ts";
import { MARK, openEnvelope, sealEnvelope, type Envelope } from "./envelope.ts";

export interface SharedValuesOptions {
  readonly clock: Clock;
  /** The store has a value or a clear that is newer than what was known here. */
  readonly onNewer: (topic: string, envelope: Envelope) => void;
  readonly onWarning: (text: string) => void;
}

interface Entry {
  /** The sealed envelope without parts. */
  readonly record: Buffer;
  readonly version: number;
  readonly origin: string;
  readonly cleared: boolean;
}

/** Writes to the store that are under way at a time. */
const WRITES = 64;
/** Clears that are remembered, so that an older value cannot come back. */
const MAX_CLEARED = 10_000;
/** How long the store remembers a clear, in milliseconds. */
const CLEARED_MS = 24 * 3600 * 1000;

export class SharedValues {
  readonly #options: SharedValuesOptions;
  readonly #entries = new Map<string, Entry>();
  /** Topics that were cleared, the longest ago first. */
  readonly #cleared = new Set<string>();
  /** What the store does not have yet. */
  readonly #unsaved = new Set<string>();
  #store: ValueStore | undefined;
  #saving = false;
  #lastVersion = 0;

  constructor(options: SharedValuesOptions) {
    this.#options = options;
  }

  /** The version of a value that is retained, or cleared, now: above every one that was seen. In microseconds, about. */
  nextVersion(): number {
    this.#lastVersion = Math.max(this.#options.clock.date() * 1000, this.#lastVersion + 1);
    return this.#lastVersion;
  }

  /** Takes what an instance of this supervisor retained or cleared, as it was sealed for the others. */
  keep(topic: string, record: Buffer): void {
    const envelope = openEnvelope(record);
    if (envelope === undefined) return;
    this.#set(topic, record, envelope);
    this.#save(topic);
  }

  /** The record of a topic as it is sent to others. */
  record(topic: string): Buffer | undefined {
    return this.#entries.get(topic)?.record;
  }

  /** Takes what another supervisor retained or cleared, and says whether it is the newest, known already or out of date. */
  merge(topic: string, envelope: Envelope): "newest" | "known" | "older" {
    const known = this.#entries.get(topic);
    const order = known === undefined ? 1 : compare(envelope, known);
    if (order === 0) return "known";
    if (order < 0) return "older";
    this.#lastVersion = Math.max(this.#lastVersion, envelope.version);
    this.#set(topic, sealEnvelope(envelope, envelope.payload), envelope);
    return "newest";
  }

  /** Takes what the store of a new connection has, then gives it what it lacks. Rejects when the connection is lost meanwhile. */
  async connect(store: ValueStore): Promise<void> {
    this.#store = store;
    const stored = new Map<string, Envelope>();
    await store.load((topic, record) => {
      const envelope = openEnvelope(record);
      if (envelope === undefined || !isTopic(topic)) return;
      stored.set(topic, { ...envelope, payload: NOTHING });
      if (isForgettable(envelope, this.#options.clock)) void store.remove(topic, record).catch(() => {});
      else if (this.merge(topic, envelope) === "newest") this.#options.onNewer(topic, envelope);
    });
    for (const [topic, entry] of this.#entries) {
      const there = stored.get(topic);
      if (there === undefined ? !entry.cleared : compare(entry, there) > 0) this.#unsaved.add(topic);
    }
    void this.#saveAll();
  }

  disconnect(): void {
    this.#store = undefined;
  }

  #set(topic: string, record: Buffer, { version, origin, marks }: Envelope): void {
    const cleared = (marks & MARK.clear) !== 0;
    this.#entries.set(topic, { record, version, origin, cleared });
    this.#cleared.delete(topic);
    if (!cleared) return;
    this.#cleared.add(topic);
    const [oldest] = this.#cleared;
    if (this.#cleared.size <= MAX_CLEARED || oldest === undefined) return;
    this.#cleared.delete(oldest);
    this.#entries.delete(oldest);
  }

  #save(topic: string): void {
    this.#unsaved.add(topic);
    void this.#saveAll();
  }

  async #saveAll(): Promise<void> {
    if (this.#saving) return;
    this.#saving = true;
    // A value that is published in a loop is written as often as the store can, not as often as it changes.
    while (this.#store !== undefined && this.#unsaved.size > 0) {
      const store = this.#store;
      const topics = [...this.#unsaved].slice(0, WRITES);
      for (const topic of topics) this.#unsaved.delete(topic);
      await Promise.all(topics.map((topic) => this.#put(store, topic)));
    }
    this.#saving = false;
  }

  async #put(store: ValueStore, topic: string): Promise<void> {
    const entry = this.#entries.get(topic);
    if (entry === undefined) return;
    try {
      const newer = await store.put(topic, entry.record);
      const envelope = newer === undefined ? undefined : openEnvelope(newer);
      if (envelope !== undefined && this.merge(topic, envelope) === "newest") this.#options.onNewer(topic, envelope);
    } catch (error) {
      // With the connection lost: the next one compares all that there is.
      if (this.#store !== store) return;
      this.#options.onWarning(
        `Retained value of "${topic}" is not kept for those who join later: ${describeThrown(error)}`,
      );
    }
  }
}

const NOTHING = Buffer.alloc(0);

/** Above 0 when the first is newer. Two that were made at the same time are ordered by who made them. */
function compare(a: Pick<Envelope, "version" | "origin">, b: Pick<Envelope, "version" | "origin">): number {
  if (a.version !== b.version) return a.version - b.version;
  if (a.origin === b.origin) return 0;
  return a.origin > b.origin ? 1 : -1;
}

function isForgettable({ marks, version }: Envelope, clock: Clock): boolean {
  return (marks & MARK.clear) !== 0 && version / 1000 < clock.date() - CLEARED_MS;
}
