/**
 * Counts the answers of one HTTP server and how long they took. Runs in the instance; the cost for each request is what matters
 * here: one clock read and a few additions. src/http/connections.ts tells it when.
 */
import { bucketOf, DURATION_BUCKETS } from "../histogram.ts";
import { type Measured, RESPONSE_KINDS, responseIndex, toSparse } from "../measured.ts";

/** The part of what is measured that is about requests. */
export type MeasuredRequests = Pick<Measured, "responses" | "durations" | "durationSum">;

/** The index of `aborted` in STATUS_CLASSES. */
export const ABORTED = 0;

export class RequestMeter {
  readonly #responses = new Uint32Array(RESPONSE_KINDS);
  readonly #durations = new Uint32Array(DURATION_BUCKETS);
  #durationSum = 0;

  /** Counts an answer: `protocol` as in PROTOCOLS, `statusClass` the status's first digit or ABORTED, its duration in milliseconds. */
  count(protocol: number, statusClass: number, ms: number): void {
    const index = responseIndex(protocol, statusClass);
    this.#responses[index] = (this.#responses[index] as number) + 1;
    const bucket = bucketOf(ms);
    this.#durations[bucket] = (this.#durations[bucket] as number) + 1;
    this.#durationSum += ms;
  }

  /** What was counted since it was taken last. */
  take(): MeasuredRequests {
    const taken = {
      responses: toSparse(this.#responses),
      durations: toSparse(this.#durations),
      durationSum: Math.round(this.#durationSum * 1000) / 1000,
    };
    this.#responses.fill(0);
    this.#durations.fill(0);
    this.#durationSum = 0;
    return taken;
  }
}

/** The status class of an answer that reached its end; what a handler made up counts as nearest. */
export function statusClassOf(status: number): number {
  return Math.min(5, Math.max(1, Math.floor(status / 100)));
}
