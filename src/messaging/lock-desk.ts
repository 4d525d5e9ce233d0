/**
 * Passes what instances ask of locks to who grants them (lock-authority.ts), and its answers back. Runs in the supervisor, at the
 * broker; the other side is lock-client.ts. What an instance held ends with its pipe.
 */
import { isUtf8 } from "node:buffer";
import type { ChoirError } from "../errors.ts";
import {
  FLAG,
  HEAD_BYTES,
  LOCK_FLAG,
  LOCK_FRAME,
  MAX_LOCK_NAME,
  MAX_OUTCOME_BYTES,
  encodeAnswer,
  encodeText,
  frameError,
  writeUint32,
  type FrameReader,
} from "./frames.ts";
import type { LockAuthority, LockClaim, LockInfo, LockMode, Member } from "./lock-authority.ts";
import type { LockDescription, LockScope, LockSnapshot } from "./locks.ts";
import { OnceRun } from "./once-run.ts";
import type { DeskHost, Peer } from "./peer.ts";

export interface LockAuthorities {
  /** For scope "machine". */
  readonly machine: LockAuthority;
  /** For scope "app"; the machine's, without an engine between machines. */
  readonly app: LockAuthority;
}

export interface LockDeskOptions extends LockAuthorities {
  /** How many locks one instance may hold and wait for. */
  readonly maxClaims: number;
}

/** What an instance asked for, by its id of it. */
interface Entry {
  readonly authority: LockAuthority;
  readonly claim: LockClaim;
  /** For runOnce. */
  readonly once?: OnceRun;
}

export class LockDesk {
  readonly #host: DeskHost;
  readonly #options: LockDeskOptions;
  readonly #entries = new Map<Peer, Map<number, Entry>>();

  constructor(host: DeskHost, options: LockDeskOptions) {
    this.#host = host;
    this.#options = options;
    options.app.onProlonged?.(() => {
      for (const peer of this.#entries.keys()) this.#tellLease(peer);
    });
  }

  /** Locks held and waited for. */
  get claims(): number {
    let count = 0;
    for (const entries of this.#entries.values()) count += entries.size;
    return count;
  }

  onFrame(peer: Peer, frame: FrameReader): void {
    const id = frame.id();
    switch (frame.type) {
      case LOCK_FRAME.lock:
      case LOCK_FRAME.once:
        this.#begin(peer, id, frame);
        return;
      case LOCK_FRAME.unlock:
        void this.#unlock(peer, id);
        return;
      case LOCK_FRAME.onceDone:
        void this.#finish(peer, id, outcomeOf(frame));
        return;
      case LOCK_FRAME.query:
        void this.#query(peer, id);
        return;
      default:
        throw frameError(`type ${frame.type}, which only the broker sends`);
    }
  }

  /** The instance is gone: others get what it held. */
  onGone(peer: Peer): void {
    const entries = this.#entries.get(peer);
    if (entries === undefined) return;
    this.#entries.delete(peer);
    for (const { authority, claim, once } of entries.values()) {
      once?.end();
      void authority.release(claim);
    }
  }

  #begin(peer: Peer, id: number, frame: FrameReader): void {
    const { flags, name } = wishOf(frame);
    let entries = this.#entries.get(peer);
    if (entries === undefined) this.#entries.set(peer, (entries = new Map()));
    if (entries.has(id)) throw frameError("a lock whose id is in use");
    const { maxClaims, machine, app } = this.#options;
    if (entries.size >= maxClaims) {
      const message = `Lock "${name}" was not asked for: the instance holds and waits for ${maxClaims}, which is the limit`;
      this.#host.answer(
        peer,
        encodeText(LOCK_FRAME.lockRefused, id, JSON.stringify({ code: "ERR_CHOIR_LOCK_LIMIT", message })),
      );
      return;
    }
    const authority = (flags & LOCK_FLAG.machine) === 0 ? app : machine;
    if (frame.type === LOCK_FRAME.once) {
      const claim = this.#claim(peer, id, { name: `-once:${name}`, flags });
      const once = new OnceRun(name, {
        authority,
        claim,
        send: (outcome) => this.#end(peer, id, encodeOutcome(id, outcome)),
      });
      entries.set(id, { authority, claim: once.claim, once });
      once.begin();
      return;
    }
    const claim = this.#claim(peer, id, { name, flags });
    entries.set(id, { authority, claim });
    authority.request(claim);
  }

  /** What the authority says goes to the instance as it is. */
  #claim(peer: Peer, id: number, { name, flags }: { name: string; flags: number }): LockClaim {
    const mode: LockMode = (flags & LOCK_FLAG.shared) === 0 ? "exclusive" : "shared";
    return {
      name,
      mode,
      ifAvailable: (flags & LOCK_FLAG.ifAvailable) !== 0,
      steal: (flags & LOCK_FLAG.steal) !== 0,
      owner: peer.member,
      granted: (token) => {
        if ((flags & LOCK_FLAG.machine) === 0) this.#tellLease(peer);
        this.#host.answer(peer, encodeNumber(LOCK_FRAME.granted, id, token));
      },
      unavailable: () => this.#end(peer, id, encodeAnswer(LOCK_FRAME.unavailable, id)),
      refused: (error) => this.#end(peer, id, encodeError(LOCK_FRAME.lockRefused, id, error)),
      lost: (error) => this.#end(peer, id, encodeError(LOCK_FRAME.lost, id, error)),
    };
  }

  /** The instance keeps the time itself: this process may stand still. */
  #tellLease(peer: Peer): void {
    const { leaseEnd } = this.#options.app;
    const holdsAny = (this.#entries.get(peer)?.size ?? 0) > 0;
    if (leaseEnd !== undefined && holdsAny) this.#host.answer(peer, encodeNumber(LOCK_FRAME.lease, 0, leaseEnd));
  }

  /** The last that the instance hears of it. */
  #end(peer: Peer, id: number, frame: Buffer): void {
    if (this.#entries.get(peer)?.delete(id) === true) this.#host.answer(peer, frame);
  }

  async #unlock(peer: Peer, id: number): Promise<void> {
    const entry = this.#entries.get(peer)?.get(id);
    if (entry !== undefined) {
      this.#entries.get(peer)?.delete(id);
      entry.once?.end();
      await entry.authority.release(entry.claim);
    }
    this.#host.answer(peer, encodeAnswer(LOCK_FRAME.unlocked, id));
  }

  /** What came of a key is kept before anybody else can have its lock. */
  async #finish(peer: Peer, id: number, outcome: Buffer): Promise<void> {
    const entry = this.#entries.get(peer)?.get(id);
    if (entry?.once === undefined) return;
    try {
      await entry.once.finish(outcome);
    } catch (error) {
      this.#end(peer, id, encodeError(LOCK_FRAME.lockRefused, id, error as ChoirError));
      await entry.authority.release(entry.claim);
      return;
    }
    await this.#unlock(peer, id);
  }

  async #query(peer: Peer, id: number): Promise<void> {
    const { machine, app } = this.#options;
    try {
      const snapshots = await Promise.all([
        describe(machine, app === machine ? "app" : "machine"),
        app === machine ? NOTHING : describe(app, "app"),
      ]);
      const all: LockSnapshot = {
        held: snapshots.flatMap(({ held }) => held),
        pending: snapshots.flatMap(({ pending }) => pending),
      };
      this.#host.answer(peer, encodeText(LOCK_FRAME.locks, id, JSON.stringify(all)));
    } catch (error) {
      this.#host.answer(peer, encodeError(LOCK_FRAME.lockRefused, id, error as ChoirError));
    }
  }
}

const NOTHING: LockSnapshot = { held: [], pending: [] };

async function describe(authority: LockAuthority, scope: LockScope): Promise<LockSnapshot> {
  const shown = ({ name, mode, owner }: LockInfo): LockDescription => {
    const { uid, id } = owner satisfies Member;
    return { name, mode, clientId: uid, instance: id, scope };
  };
  const { held, pending } = await authority.query();
  return { held: held.map(shown), pending: pending.map(shown) };
}

function wishOf({ buffer, body, end, type }: FrameReader): { flags: number; name: string } {
  const flags = buffer[body + 4] ?? 0;
  const start = body + 5;
  const allowed = type === LOCK_FRAME.once ? LOCK_FLAG.machine : ALL_FLAGS;
  if ((flags & ~allowed) !== 0) throw frameError("a lock with unknown flags");
  if ((flags & LOCK_FLAG.steal) !== 0 && (flags & (LOCK_FLAG.shared | LOCK_FLAG.ifAvailable)) !== 0) {
    throw frameError("a lock whose flags exclude each other");
  }
  const bytes = end - start;
  if (bytes < 1 || bytes > MAX_LOCK_NAME + RESERVED || !isUtf8(buffer.subarray(start, end))) {
    throw frameError("a lock without a valid name");
  }
  return { flags, name: buffer.toString("utf8", start, end) };
}

/** Every bit of LOCK_FLAG. */
const ALL_FLAGS = LOCK_FLAG.shared | LOCK_FLAG.ifAvailable | LOCK_FLAG.steal | LOCK_FLAG.machine;
/** Names of Choir's own are longer by their prefix. */
const RESERVED = "-leader:".length;

/** Flags and payload as they came, copied: they are kept. */
function outcomeOf({ buffer, body, end }: FrameReader): Buffer {
  const flags = buffer[body + 4] ?? 0;
  if (end - body < 5 || end - body - 5 > MAX_OUTCOME_BYTES) throw frameError(`an outcome of ${end - body - 5} bytes`);
  if ((flags & ~(FLAG.bytes | FLAG.failed | FLAG.none)) !== 0) throw frameError("an outcome with unknown flags");
  const copy = Buffer.allocUnsafeSlow(end - body - 4);
  buffer.copy(copy, 0, body + 4, end);
  return copy;
}

function encodeNumber(type: number, id: number, value: number): Buffer {
  const buffer = Buffer.allocUnsafe(HEAD_BYTES + 12);
  writeUint32(buffer, buffer.length - 4, 0);
  buffer[4] = type;
  buffer.writeDoubleBE(value, writeUint32(buffer, id, HEAD_BYTES));
  return buffer;
}

function encodeOutcome(id: number, outcome: Uint8Array): Buffer {
  const buffer = Buffer.allocUnsafe(HEAD_BYTES + 4 + outcome.length);
  writeUint32(buffer, buffer.length - 4, 0);
  buffer[4] = LOCK_FRAME.outcome;
  buffer.set(outcome, writeUint32(buffer, id, HEAD_BYTES));
  return buffer;
}

function encodeError(type: number, id: number, { code, message, hint }: ChoirError): Buffer {
  return encodeText(type, id, JSON.stringify({ code, message, hint }));
}
