/**
 * One instance's call of runOnce: looks whether the key has been done, else waits for its lock and looks again. Runs in the
 * supervisor, for lock-desk.ts. What was done is kept by the authority as a count of attempts and the last one's outcome, so that
 * one who waited while it failed can tell that from a failure of long ago.
 */
import type { ChoirError } from "../errors.ts";
import { FLAG } from "./frames.ts";
import type { LockAuthority, LockClaim } from "./lock-authority.ts";

export interface OnceContext {
  readonly authority: LockAuthority;
  /** Tells the instance: that it runs, or that it cannot. */
  readonly claim: LockClaim;
  /** Tells the instance what came of it elsewhere: flags u8, payload. */
  readonly send: (outcome: Uint8Array) => void;
}

interface Kept {
  readonly attempt: number;
  /** Flags u8, payload. */
  readonly outcome: Uint8Array;
}

const ATTEMPT_BYTES = 4;

export class OnceRun {
  /** What the authority is asked for. */
  readonly claim: LockClaim;
  readonly #key: string;
  readonly #context: OnceContext;
  /** Attempts that had ended when it began to wait. */
  #seen = 0;
  #attempt = 0;
  #isOver = false;

  constructor(key: string, context: OnceContext) {
    this.#key = key;
    this.#context = context;
    const { claim } = context;
    this.claim = {
      ...claim,
      granted: (token) => {
        this.#look((kept) => {
          if (kept !== undefined && (isDone(kept) || kept.attempt > this.#seen)) this.#tell(kept);
          else {
            this.#attempt = (kept?.attempt ?? 0) + 1;
            claim.granted(token);
          }
        });
      },
    };
  }

  begin(): void {
    this.#look((kept) => {
      if (kept !== undefined && isDone(kept)) this.#tell(kept);
      else {
        this.#seen = kept?.attempt ?? 0;
        this.#context.authority.request(this.claim);
      }
    });
  }

  /** Keeps what came of it; rejects with a ChoirError when it cannot be kept. */
  async finish(outcome: Uint8Array): Promise<void> {
    const kept = Buffer.allocUnsafeSlow(ATTEMPT_BYTES + outcome.length);
    kept.writeUInt32BE(this.#attempt, 0);
    kept.set(outcome, ATTEMPT_BYTES);
    await this.#context.authority.remember(this.#key, kept);
  }

  /** The instance does not wait any more. */
  end(): void {
    this.#isOver = true;
  }

  #tell({ outcome }: Kept): void {
    this.#isOver = true;
    void this.#context.authority.release(this.claim);
    this.#context.send(outcome);
  }

  #look(then: (kept: Kept | undefined) => void): void {
    const go = (bytes: Uint8Array | undefined): void => {
      if (!this.#isOver) then(bytes === undefined ? undefined : read(bytes));
    };
    const refuse = (error: ChoirError): void => {
      if (this.#isOver) return;
      this.#isOver = true;
      void this.#context.authority.release(this.claim);
      this.#context.claim.refused(error);
    };
    this.#context.authority.recall(this.#key).then(go, refuse);
  }
}

function read(bytes: Uint8Array): Kept {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { attempt: view.getUint32(0), outcome: bytes.subarray(ATTEMPT_BYTES) };
}

function isDone({ outcome }: Kept): boolean {
  return ((outcome[0] ?? 0) & FLAG.failed) === 0;
}
