/** Judges what the clients saw: every failure is shown beside what the runner did at that moment. Runs in the test's process. */
import type { LogLine, Running } from "../helpers/start-runner.ts";
import type { Failure } from "./clients/journal.ts";
import type { Load } from "./load.ts";

const SHOWN = 20;

export interface Expected {
  /** Failures that a client had to see, such as those that were in flight on an instance that was killed. */
  readonly except?: (failure: Failure) => boolean;
  /** How many of those there may be. */
  readonly atMost?: number;
}

/** Fails with all there is to know when a request was lost. */
export function expectNoLoss(
  load: Load,
  runner: Running,
  { except = () => false, atMost = Infinity }: Expected = {},
): void {
  const lost = load.journal.failures.filter((failure) => !except(failure));
  const excepted = load.journal.failures.length - lost.length;
  if (lost.length === 0 && excepted <= atMost) return;
  const verdict =
    lost.length > 0
      ? `${lost.length} requests were lost, ${load.journal.total()} answered`
      : `${excepted} requests failed where at most ${atMost} had to`;
  const shown = lost.length > 0 ? lost : load.journal.failures;
  throw new Error(
    [
      `${verdict} (seed ${load.seed})`,
      ...shown.slice(0, SHOWN).map((failure) => sentence(failure, runner.lines)),
      ...(shown.length > SHOWN ? [`… and ${shown.length - SHOWN} more`] : []),
      "-- answered --",
      summary(load),
      "-- runner --",
      runner.transcript(),
    ].join("\n"),
  );
}

/** Answers and repeats of each kind of client, in one line. */
export function summary({ journal }: Load): string {
  return [...journal.counts()]
    .map(([client, { answered, retried }]) => `${client}: ${answered}${retried > 0 ? ` (+${retried} again)` : ""}`)
    .join(", ");
}

/** A failure with its time relative to the runner's nearest event. */
export function sentence(failure: Failure, lines: readonly LogLine[]): string {
  const who = failure.pid === undefined ? "" : `, its connection was on pid ${failure.pid}`;
  return `${failure.client}: ${failure.what}, ${relativeTo(failure.at, lines)}${who}`;
}

function relativeTo(at: number, lines: readonly LogLine[]): string {
  let nearest: LogLine | undefined;
  for (const line of lines) {
    if (line.event === undefined) continue;
    if (nearest === undefined || Math.abs(line.time - at) <= Math.abs(nearest.time - at)) nearest = line;
  }
  if (nearest === undefined) return `at ${at}`;
  const pid = nearest.pid === undefined ? "" : ` of pid ${nearest.pid}`;
  return `${at - nearest.time} ms after ${nearest.event}${pid}`;
}
