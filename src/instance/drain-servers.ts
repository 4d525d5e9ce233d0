/** Drains the servers of an instance, and says what it still waits for shortly before the supervisor kills. Runs in the instance. */
import { systemClock } from "../clock.ts";
import type { Connections } from "../http/connections.ts";
import { type Acceptors, drainServer } from "../http/drain.ts";
import type { DrainReason, OpenRequest } from "../protocol.ts";
import type { InstanceRole } from "./role.ts";

export interface DrainedServer {
  readonly server: { readonly keepAliveTimeout: number };
  readonly connections: Connections;
  readonly acceptors: Acceptors;
}

export interface DrainPlan {
  readonly reason: DrainReason;
  /** Everything that is open, for the log. */
  readonly openRequests: () => readonly OpenRequest[];
}

/** Resolves when the last connection of all is gone. The supervisor keeps the deadline. */
export async function drainServers(
  role: InstanceRole,
  servers: readonly DrainedServer[],
  { reason, openRequests }: DrainPlan,
): Promise<void> {
  const { shutdownTimeout, idleGrace, drainDelay, closeSpread } = role.birth.options;
  // Shortly before the supervisor kills: what is still open then is what its log is going to name.
  const report = systemClock.after(Math.max(shutdownTimeout * 0.9, shutdownTimeout - 500), () => {
    role.lifecycle.reportOpen(openRequests());
  });
  const unanswered = role.uncaught.giveUpUnanswered();
  // Nobody waits for idle connections until the deadline, at which the process would be killed for their sake.
  const longest = Math.max(shutdownTimeout / 2, shutdownTimeout - 5000);
  const drained = servers.map(({ server, connections, acceptors }) =>
    drainServer(connections, {
      mode: reason,
      acceptors,
      idleGraceMs: idleGrace,
      keepAliveTimeoutMs: Math.min(server.keepAliveTimeout, longest),
      drainDelayMs: drainDelay,
      closeSpreadMs: closeSpread,
      clock: systemClock,
    }),
  );
  await Promise.all(drained);
  unanswered?.cancel();
  report.cancel();
}
