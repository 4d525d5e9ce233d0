/**
 * How many connections wait to be accepted on the listening sockets, as the kernel has it. Runs in the supervisor. Linux only, and not
 * for Unix sockets: elsewhere nobody tells.
 */
import { fstatSync } from "node:fs";
import { open } from "node:fs/promises";

/** What is asked about. */
export interface ListeningSocket {
  /** The descriptor in this process. */
  readonly fd: number;
  readonly address: string;
}

export interface Queue {
  readonly address: string;
  readonly length: number;
}

/** The kernel's tables of TCP sockets. */
const TCP_TABLES: readonly string[] = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];

const CHUNK_BYTES = 16 * 1024;
/** Rows are 150 bytes: enough for thousands of sockets that listen. */
const MOST_BYTES = 1024 * 1024;

/** The sockets that the kernel tells of, with how many wait. */
export async function queueLengths(
  sockets: readonly ListeningSocket[],
  tables: readonly string[] = TCP_TABLES,
): Promise<Queue[]> {
  const waiting = new Map<string, number>();
  for (const table of tables) await readTable(table, waiting);
  return sockets.flatMap(({ fd, address }) => {
    const length = waiting.get(inodeOf(fd) ?? "");
    return length === undefined ? [] : [{ address, length }];
  });
}

/** Sockets that listen come first in a table, so a busy server's many connections are not read. */
async function readTable(file: string, waiting: Map<string, number>): Promise<void> {
  const handle = await open(file, "r").catch(() => undefined);
  if (handle === undefined) return;
  try {
    const buffer = Buffer.alloc(CHUNK_BYTES);
    let unread = "";
    for (let bytes = 0; bytes < MOST_BYTES;) {
      const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES);
      bytes += bytesRead;
      const lines = (unread + buffer.toString("latin1", 0, bytesRead)).split("\n");
      unread = lines.pop() ?? "";
      if (lines.some((line) => !readRow(line, waiting)) || bytesRead === 0) return;
    }
  } catch {
    // A kernel without it: there is nothing to tell.
  } finally {
    await handle.close();
  }
}

const LISTEN = "0A";

/** Takes a row down; false when it is none of a socket that listens. */
export function readRow(line: string, waiting: Map<string, number>): boolean {
  const [slot, , , state, queues = "", , , , , inode] = line.trim().split(/\s+/);
  if (slot === "sl") return true;
  if (state !== LISTEN || inode === undefined) return false;
  // Of a socket that listens, the receive queue is what waits to be accepted.
  waiting.set(inode, Number.parseInt(queues.split(":")[1] ?? "", 16));
  return true;
}

function inodeOf(fd: number): string | undefined {
  try {
    return String(fstatSync(fd).ino);
  } catch {
    return undefined;
  }
}
