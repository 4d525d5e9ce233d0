/** What an instance counted, as its heartbeat would say it. */
import { type Measured, responseIndex } from "../../src/measured.ts";

export const NOTHING_MEASURED: Measured = {
  elapsedMs: 1000,
  responses: [],
  durations: [],
  durationSum: 0,
  connections: 0,
  refused: 0,
  failedHandshakes: 0,
  cpuUser: 0,
  cpuSystem: 0,
  gc: [],
  gcMs: [],
};

/** `count` answers over HTTP/1.1 with a status class, each in the histogram's given bucket. */
export function answers(
  count: number,
  { statusClass = 2, bucket = 20, ...others }: Partial<Measured> & { statusClass?: number; bucket?: number } = {},
): Measured {
  return {
    ...NOTHING_MEASURED,
    responses: [responseIndex(1, statusClass), count],
    durations: [bucket, count],
    durationSum: count,
    ...others,
  };
}
