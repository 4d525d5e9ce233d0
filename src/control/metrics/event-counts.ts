/** Counts what happens in the supervisor, from its events. Runs in the supervisor. */
import type { ChoirEvent, ExitReason } from "../../events.ts";
import type { RestartResult } from "../../supervisor/snapshot.ts";

/** Every reason, so that each counter is there, at zero, before it is needed: the first one of a kind is what an alert waits for. */
const REASONS: Readonly<Record<ExitReason, true>> = {
  asked: true,
  crashed: true,
  "start-failed": true,
  "start-timeout": true,
  killed: true,
  left: true,
  uncaught: true,
  "broken-pipe": true,
  unresponsive: true,
  "out-of-memory": true,
  "max-requests": true,
  "max-age": true,
  "max-memory": true,
  heap: true,
};

const OUTCOMES: Readonly<Record<RestartResult["outcome"], true>> = {
  done: true,
  failed: true,
  mixed: true,
  stopped: true,
};

type Counts = Map<string, number>;

export class EventCounts {
  /** Instances that ended, by reason. */
  readonly exits: Counts = zeroes(REASONS);
  /** Those of them that were followed by another one, by reason. */
  readonly respawns: Counts = zeroes(REASONS);
  /** Rolling restarts, by outcome. */
  readonly restarts: Counts = zeroes(OUTCOMES);
  /** Messages that slow subscribers lost. */
  messagesDropped = 0;
  bytesDropped = 0;

  take(event: ChoirEvent): void {
    switch (event.event) {
      case "instance-exited":
        increase(this.exits, event.reason);
        if (event.respawnMs !== null) increase(this.respawns, event.reason);
        return;
      case "restart-finished":
        increase(this.restarts, event.outcome);
        return;
      case "pubsub-overload":
        this.messagesDropped += event.dropped;
        this.bytesDropped += event.droppedBytes;
        return;
      // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- most events are no counters
      default:
    }
  }
}

function zeroes(names: Readonly<Record<string, true>>): Counts {
  return new Map(Object.keys(names).map((name) => [name, 0]));
}

function increase(counts: Counts, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
