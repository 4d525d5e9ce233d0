/** What an instance's container holds, for tests that need no supervisor. */
import pino from "pino";
import { createLocalPubSub } from "../../src/messaging/local.ts";
import type { Services } from "../../src/instance/cradle.ts";

/** Services that do nothing, and the log lines that were written. */
export function fakeServices(): { services: Services; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const logger = pino({ level: "info" }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const [pubSub] = createLocalPubSub(1, { onHandlerError: () => {} }).clients;
  if (pubSub === undefined) throw new Error("no client");
  const services: Services = {
    instance: {
      id: 0,
      uid: "u",
      generation: 0,
      pid: 1,
      name: "test",
      concurrency: 1,
      startedAt: "2026-01-01T00:00:00.000Z",
      restarts: 0,
    },
    logger,
    onShutdown: () => {},
    pubSub,
    locks: pubSub.locks,
  };
  return { services, lines };
}
