/** Requests and answers between instances as apps see them; types only. Used in instances; request-client.ts implements them. */
import type { Member } from "./lock-authority.ts";
import type { RemoteError } from "./remote-error.ts";

export interface RequestOptions {
  /** Milliseconds until the answer must have come. Default 5000. */
  readonly timeout?: number;
  /** Ends the wait: the promise rejects with the signal's reason. Who answers is not told. */
  readonly signal?: AbortSignal;
}

/** What comes with a request's value. */
export interface RespondInfo {
  /** The topic asked, also where the responder has a pattern. */
  readonly topic: string;
}

/**
 * Answers requests with what it returns: JSON, a `Uint8Array`, undefined, or a promise of one of these. What it throws reaches who
 * asked as a `RemoteError` and is not logged here.
 */
export type RequestHandler<T = unknown> = (value: T, info: RespondInfo) => unknown;

/** One instance's answer. */
export interface Answer<T = unknown> {
  readonly from: Member;
  readonly value: T;
}

/** One instance whose handler threw. */
export interface FailedAnswer {
  readonly from: Member;
  readonly error: RemoteError;
}

/** What came by the deadline: everyone asked is in exactly one of these. */
export interface Answers<T = unknown> {
  readonly answers: readonly Answer<T>[];
  readonly failed: readonly FailedAnswer[];
  /** Who did not answer in time, or is gone. */
  readonly silent: readonly Member[];
  /**
   * Whether other machines could not be asked, since the engine between them could not be reached: then these are the instances of
   * this machine. Always false without an engine.
   */
  readonly unreached: boolean;
}

/** Who was asked, as the broker tells who asks. */
export interface Asked {
  readonly members: readonly Member[];
  readonly unreached?: boolean;
}
