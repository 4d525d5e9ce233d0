/** Connects the access log with the instance: its id, its zones and its stdout. Runs in the instance. */
import { randomBytes } from "node:crypto";
import { writeSync } from "node:fs";
import type { Server } from "node:net";
import { systemClock } from "../clock.ts";
import type { RequestNotes } from "./fastify-app.ts";
import type { InstanceRole } from "./role.ts";

export interface InstanceAccessLog extends RequestNotes {
  /** Logs all requests of a server. */
  readonly open: (server: Server) => void;
}

const STDOUT = 1;

/** Loads what --access-log needs; undefined without it. */
export async function accessLogOf({ birth, zones }: InstanceRole): Promise<InstanceAccessLog | undefined> {
  const { accessLog: format, accessLogQuery: query, logFormat, logFileFormat } = birth.options;
  if (format === undefined) return undefined;
  const { logAccess, noteRequest } = await import("../http/access-log.ts");
  const requestId = zones === undefined ? createIds() : () => zones.requestId();
  return {
    requestId,
    note: noteRequest,
    open(server) {
      const log = logAccess(server, {
        format,
        query,
        instance: birth.info.id,
        isRaw: logFormat === "raw" || logFileFormat === "raw",
        clock: systemClock,
        requestId,
        write,
      });
      process.on("exit", () => log.flush());
    },
  };
}

function write(lines: string): void {
  try {
    writeSync(STDOUT, lines);
  } catch {
    // The supervisor is gone, and this process drains: nobody reads its lines any more.
  }
}

/** Ids for apps that give their requests none. */
function createIds(): () => string {
  const prefix = randomBytes(6).toString("hex");
  let count = 0;
  return () => {
    count += 1;
    return `${prefix}-${count.toString(36)}`;
  };
}
