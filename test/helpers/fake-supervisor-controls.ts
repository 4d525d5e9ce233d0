/** What the control socket and the dashboard steer, in place of a supervisor. Used in tests of their servers. */
import type { Controllable, ProfileRequest } from "../../src/control/controllable.ts";
import type { EventFeed } from "../../src/control/event-feed.ts";
import type { ChoirEvent, LevelName } from "../../src/events.ts";
import { LogTail } from "../../src/logs/tail.ts";
import { Broker } from "../../src/messaging/broker.ts";
import { Operator } from "../../src/messaging/operator.ts";
import type { RestartResult } from "../../src/supervisor/snapshot.ts";
import { SNAPSHOT } from "./snapshots.ts";

/** How a rolling restart ends here. */
export const DONE: RestartResult = { outcome: "done", generation: 3, durationMs: 12 };

/** Notes what it is asked for. */
export class FakeSupervisor implements Controllable {
  readonly calls: unknown[][] = [];
  readonly #events: EventFeed;

  constructor(events: EventFeed) {
    this.#events = events;
  }

  restartEnds: Promise<RestartResult> = Promise.resolve(DONE);
  /** How often it was asked how it is. */
  asked = 0;

  snapshot(): typeof SNAPSHOT {
    this.asked += 1;
    return SNAPSHOT;
  }

  restart(by: string): Promise<RestartResult> {
    this.calls.push(["restart", by]);
    return this.restartEnds;
  }

  async scale(instances: number, by: string): Promise<{ instances: number }> {
    this.calls.push(["scale", instances, by]);
    return { instances };
  }

  stop(by: string): void {
    this.calls.push(["stop", by]);
  }

  readonly messages = new Operator(new Broker());

  async metrics(accept: string | undefined): Promise<{ contentType: string; text: string }> {
    return { contentType: "text/plain", text: `accepted ${accept}\n` };
  }

  readonly logs = new LogTail(1000);
  level: LevelName = "info";

  follow(listener: (event: ChoirEvent) => void): () => void {
    return this.#events.subscribe(listener);
  }

  logLevel(): LevelName {
    return this.level;
  }

  setLogLevel(level: LevelName, by: string): void {
    this.calls.push(["setLogLevel", level, by]);
    this.level = level;
  }

  reopenLogs(by: string): void {
    this.calls.push(["reopenLogs", by]);
  }

  /** What a profile is made of. */
  parts: AsyncGenerator<Buffer> = chunks();

  profile(slot: number, what: ProfileRequest): AsyncIterable<Buffer> {
    this.calls.push(["profile", slot, what]);
    return this.parts;
  }
}

/** A profile in pieces. */
export async function* chunks(...texts: string[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield Buffer.from(text);
}
