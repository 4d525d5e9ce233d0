/** Connects a supervisor to the service manager that started it. Loaded in the supervisor, where NOTIFY_SOCKET is set only. */
import type { Clock } from "../clock.ts";
import type { EventFeed } from "../control/event-feed.ts";
import { describeThrown } from "../errors.ts";
import type { ChoirEvent } from "../events.ts";
import { processEnvironment } from "../options/environment.ts";
import type { NotifyAddress } from "../options/service-manager.ts";
import type { Snapshot } from "../supervisor/snapshot.ts";
import { notifyProgram, Sender } from "./sender.ts";
import { Service } from "./service.ts";

export interface ConnectContext {
  readonly supervisor: { snapshot(): Snapshot };
  readonly events: EventFeed;
  readonly clock: Clock;
  readonly emit: (event: ChoirEvent) => void;
}

/** The connection, from the start of the first instance to the end of the last one. */
export interface ServiceConnection {
  start(): void;
  /** Resolved when the last word has been sent; `why` says why it ended, if not as asked. */
  end(why: string | undefined): Promise<void>;
}

/** How long the last words may take, in milliseconds. */
const LAST_WORDS_MS = 2000;

/** Makes the connection; nothing is said before `start()`. */
export function connectService(
  notify: NotifyAddress,
  { supervisor, events, clock, emit }: ConnectContext,
): ServiceConnection {
  const sender = new Sender({
    transport: notifyProgram(notify, processEnvironment()),
    onFailure: (error) => emit({ event: "notify-failed", error: describeThrown(error) }),
  });
  const service = new Service({
    send: (message) => sender.send(message),
    snapshot: () => supervisor.snapshot(),
    clock,
    // What performance.now() counts from is this process's start.
    monotonicUsec: () => process.hrtime.bigint() / 1000n,
    watchdogMs: notify.watchdogMs,
  });
  const unsubscribe = events.subscribe((event) => service.handle(event));
  return {
    start: () => service.start(),
    async end(why) {
      unsubscribe();
      service.end(why);
      const late = new Promise((resolve) => {
        setTimeout(resolve, LAST_WORDS_MS).unref();
      });
      await Promise.race([sender.flushed(), late]);
    },
  };
}
