/**
 * Locks, leaders and things done once, over the pipe to the broker. Runs in the instance; its other side is lock-desk.ts. What is
 * held ends with the pipe, on both sides.
 */
import { ChoirError, quote, type ErrorCode } from "../errors.ts";
import { Candidate } from "./candidate.ts";
import { FLAG, FRAME, LOCK_FLAG, LOCK_FRAME, MAX_OUTCOME_BYTES, type FrameReader } from "./frames.ts";
import type { LockMode } from "./lock-authority.ts";
import { checkCallback, checkName, checkOptions, checkScope } from "./lock-checks.ts";
import { Lease } from "./lease.ts";
import { Claim, type HeldLock } from "./lock-claim.ts";
import type {
  Leadership,
  LeaderOptions,
  Lock,
  LockOptions,
  Locks,
  LockScope,
  LockSnapshot,
  OnceOptions,
} from "./locks.ts";
import type { Pipe } from "./pipe.ts";
import { decodeError, encodeError } from "./remote-error.ts";
import { decodePayload, encodeValue, type Encoded } from "./value.ts";

export interface LockClientOptions {
  /** Told what a leader's callback threw, with the leader's name. */
  readonly report: (error: unknown, name: string) => void;
}

type Callback = (lock: Lock | null) => unknown;

export class LockClient implements Locks {
  readonly #pipe: Pipe;
  readonly #report: LockClientOptions["report"];
  readonly #claims = new Map<number, Claim>();
  readonly #queries = new Map<number, Query>();
  readonly #candidates = new Set<Candidate>();
  readonly #lease = new Lease(() => this.#onLeaseEnd());

  constructor(pipe: Pipe, { report }: LockClientOptions) {
    this.#pipe = pipe;
    this.#report = report;
    pipe.use(LOCK_FRAME.lock, { onFrame: (frame) => this.#onFrame(frame), onClosed: (error) => this.#onClosed(error) });
  }

  request<T>(name: string, callback: (lock: Lock) => T | PromiseLike<T>): Promise<T>;
  request<T>(
    name: string,
    options: LockOptions & { readonly ifAvailable?: false },
    callback: (lock: Lock) => T | PromiseLike<T>,
  ): Promise<T>;
  request<T>(name: string, options: LockOptions, callback: (lock: Lock | null) => T | PromiseLike<T>): Promise<T>;
  async request(name: string, ...rest: readonly unknown[]): Promise<unknown> {
    const [options, callback] = typeof rest[0] === "function" ? [{}, rest[0]] : [rest[0] ?? {}, rest[1]];
    checkName("Lock", name);
    checkOptions(name, options);
    checkCallback(`locks.request(${quote(name)})`, callback);
    const { mode = "exclusive", ifAvailable, steal, scope, signal } = options as LockOptions;
    const flags =
      (mode === "shared" ? LOCK_FLAG.shared : 0) |
      (ifAvailable === true ? LOCK_FLAG.ifAvailable : 0) |
      (steal === true ? LOCK_FLAG.steal : 0) |
      scopeFlag(scope);
    const claim = this.claim({ name, mode, flags, signal });
    const lock = await claim.granted;
    if (lock === null) return (callback as Callback)(null);
    return this.#holdWhile(claim, lock, callback as Callback);
  }

  query(): Promise<LockSnapshot> {
    return new Promise((resolve, reject) => {
      if (this.#pipe.closed !== undefined) {
        reject(this.#pipe.closed);
        return;
      }
      const id = this.#pipe.nextId();
      this.#queries.set(id, { resolve, reject });
      this.#pipe.send({ type: LOCK_FRAME.query, id });
    });
  }

  async leader(
    name: string,
    callback: (signal: AbortSignal, lock: Lock) => unknown,
    { signal, scope }: LeaderOptions = {},
  ): Promise<Leadership> {
    checkName("Leader", name);
    checkScope(name, scope);
    checkCallback(`locks.leader(${quote(name)})`, callback);
    signal?.throwIfAborted();
    const candidate = new Candidate(name, callback, {
      claim: (stop) =>
        this.claim({ name: `-leader:${name}`, mode: "exclusive", flags: scopeFlag(scope), signal: stop }),
      release: (claim) => this.release(claim),
      report: (error) => this.#report(error, name),
    });
    this.#candidates.add(candidate);
    void candidate.ended.then(() => this.#candidates.delete(candidate));
    signal?.addEventListener("abort", () => void candidate.stop(), { once: true });
    // A refusal comes before this answer.
    await this.#pipe.request(FRAME.flush);
    candidate.confirm();
    return candidate;
  }

  async runOnce<T>(
    key: string,
    callback: (lock: Lock) => T | PromiseLike<T>,
    { signal, scope }: OnceOptions = {},
  ): Promise<T> {
    checkName("Key", key);
    checkScope(key, scope);
    checkCallback(`locks.runOnce(${quote(key)})`, callback);
    const claim = this.claim({ name: key, mode: "exclusive", flags: scopeFlag(scope), signal, isOnce: true });
    const lock = await claim.granted;
    // T is the app's word for what its callback returns, here or in another instance.
    if (lock === null) return readOutcome(claim) as T;
    return (await this.#runHere(claim, lock, callback)) as T;
  }

  /** Asks for a lock; used by this class and by candidates. */
  claim({ name, mode, flags, signal, isOnce = false }: Wish): Claim {
    const pipe = this.#pipe;
    if (pipe.closed !== undefined) throw pipe.closed;
    signal?.throwIfAborted();
    const id = pipe.nextId();
    const isLeased = (flags & LOCK_FLAG.machine) === 0;
    const claim = new Claim(id, { name, mode, isLeased, signal }, () => {
      this.#claims.delete(id);
      pipe.send({ type: LOCK_FRAME.unlock, id });
    });
    this.#claims.set(id, claim);
    pipe.send({ type: isOnce ? LOCK_FRAME.once : LOCK_FRAME.lock, id, flags }, name);
    return claim;
  }

  /** Gives a lock back; resolves when others can have it. */
  release(claim: Claim): Promise<void> {
    if (!this.#claims.has(claim.id) || this.#pipe.closed !== undefined) return Promise.resolve();
    this.#pipe.send({ type: LOCK_FRAME.unlock, id: claim.id });
    return claim.unlocked;
  }

  /** The instance is going to end: what it leads is for others to lead. */
  resign(): void {
    for (const candidate of this.#candidates) void candidate.stop();
  }

  /** The instance has answered its last request: aborts the signals of what is still held. */
  abandon(): void {
    const reason = new DOMException("The instance is going to end", "AbortError");
    for (const claim of this.#claims.values()) claim.lock?.abort(reason);
  }

  /** The promise rejects as soon as the lock is lost, although the callback may go on. */
  async #holdWhile(claim: Claim, lock: HeldLock, callback: Callback): Promise<unknown> {
    try {
      return await Promise.race([callback(lock), claim.lost]);
    } finally {
      await this.release(claim);
    }
  }

  async #runHere(claim: Claim, lock: HeldLock, callback: (lock: Lock) => unknown): Promise<unknown> {
    let encoded: Encoded | undefined;
    try {
      const result = await Promise.race([callback(lock), claim.lost]);
      encoded = result === undefined ? undefined : encodeValue(result);
      if (encoded !== undefined && Buffer.byteLength(encoded) > MAX_OUTCOME_BYTES) throw tooMuch(claim.name, encoded);
    } catch (error) {
      await this.#finish(claim, encodeError(error), FLAG.failed).catch(() => {});
      throw error;
    }
    await this.#finish(claim, encoded, 0);
    // As the others get it: what JSON changes is to be seen with one instance as well.
    return typeof encoded === "string" ? JSON.parse(encoded) : encoded;
  }

  #finish(claim: Claim, encoded: Encoded | undefined, flags: number): Promise<void> {
    if (!this.#claims.has(claim.id) || this.#pipe.closed !== undefined) return Promise.resolve();
    this.#pipe.send({ type: LOCK_FRAME.onceDone, id: claim.id, flags }, encoded);
    // When it cannot be kept, it is lost.
    return Promise.race([claim.unlocked, claim.lost]);
  }

  #onFrame(frame: FrameReader): void {
    const id = frame.id();
    const { buffer, type, end } = frame;
    const at = frame.body + 4;
    if (type === LOCK_FRAME.lease) {
      this.#lease.prolong(buffer.readDoubleBE(at));
      return;
    }
    const query = this.#queries.get(id);
    if (query !== undefined) {
      this.#queries.delete(id);
      if (type === LOCK_FRAME.locks) query.resolve(JSON.parse(buffer.toString("utf8", at, end)) as LockSnapshot);
      else query.reject(sentError(buffer, at, end));
      return;
    }
    const claim = this.#claims.get(id);
    if (claim === undefined) return;
    // Everything else but a grant is the last that is heard of it.
    if (type !== LOCK_FRAME.granted) this.#claims.delete(id);
    if (type === LOCK_FRAME.granted) claim.grant(buffer.readDoubleBE(at));
    else if (type === LOCK_FRAME.unavailable) claim.miss();
    else if (type === LOCK_FRAME.lost) claim.lose(sentError(buffer, at, end));
    else if (type === LOCK_FRAME.lockRefused) claim.refuse(sentError(buffer, at, end));
    else if (type === LOCK_FRAME.unlocked) claim.unlock();
    else if (type === LOCK_FRAME.outcome) {
      const flags = buffer[at] ?? 0;
      claim.miss({ failed: (flags & FLAG.failed) !== 0, value: decodePayload(buffer, { flags, start: at + 1, end }) });
    }
  }

  /** The supervisor has not said in time that its locks were renewed. Should it be there after all, it gives them back. */
  #onLeaseEnd(): void {
    for (const [id, claim] of this.#claims) {
      if (!claim.isLeased || claim.lock === undefined) continue;
      this.#claims.delete(id);
      this.#pipe.send({ type: LOCK_FRAME.unlock, id });
      const what = `Lock ${quote(claim.name)} is lost: the supervisor did not say in time that its lease was renewed`;
      claim.lose(new ChoirError("ERR_CHOIR_LOCK_LOST", what));
    }
  }

  #onClosed(error: ChoirError): void {
    this.#lease.stop();
    for (const claim of this.#claims.values()) claim.close(error);
    for (const query of this.#queries.values()) query.reject(error);
    this.#claims.clear();
    this.#queries.clear();
  }
}

interface Wish {
  readonly name: string;
  readonly mode: LockMode;
  readonly flags: number;
  readonly signal: AbortSignal | undefined;
  readonly isOnce?: boolean;
}

interface Query {
  resolve(snapshot: LockSnapshot): void;
  reject(error: ChoirError): void;
}

function readOutcome({ outcome }: Claim): unknown {
  if (outcome?.failed === true) throw decodeError(outcome.value);
  return outcome?.value;
}

/** An error of the supervisor's; of an engine between machines, it may be any. */
function sentError(buffer: Buffer, start: number, end: number): ChoirError {
  const { code, message, hint } = JSON.parse(buffer.toString("utf8", start, end)) as SentError;
  return new ChoirError(code, message, hint === undefined ? {} : { hint });
}

interface SentError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
}

function scopeFlag(scope: LockScope | undefined): number {
  return scope === "machine" ? LOCK_FLAG.machine : 0;
}

function tooMuch(key: string, encoded: Encoded): ChoirError {
  return new ChoirError(
    "ERR_CHOIR_VALUE",
    `Result of runOnce(${quote(key)}) is ${Buffer.byteLength(encoded)} bytes when encoded, at most ${MAX_OUTCOME_BYTES} are kept`,
    { hint: "Return a reference to it, such as a key or a path" },
  );
}
