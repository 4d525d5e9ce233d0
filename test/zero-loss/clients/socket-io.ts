/**
 * Says numbers to a Socket.IO server and waits for their acknowledgements, by its own client, which comes back by itself. Runs in
 * the test's process. A close with 1001 is a replacement: what was not acknowledged is said again. Any other end, a connection that
 * cannot be made, or a wrong acknowledgement is a failure.
 */
import { io, type Socket } from "socket.io-client";
import { byDeadline, type Client, rest } from "./client.ts";
import { CutShort } from "./journal.ts";

const GOING_AWAY = 1001;

/** A session ended while it was asked something. */
class Ended extends Error {}

/** Without long polling: a session lives in one instance, and polls would come to others as well. */
export const socketIo: Client = async (work) => {
  const socket = io(work.target.origin, { transports: ["websocket"], forceNew: true, reconnectionDelay: 20 });
  socket.on("connect_error", (error) => work.journal.failed(work.name, error));
  socket.on("disconnect", (reason, details) => {
    const code = codeOf(details);
    if (code === GOING_AWAY) work.journal.retried(work.name);
    else if (reason !== "io client disconnect") work.journal.failed(work.name, new CutShort(`${reason} (${code})`));
  });
  for (let next = 0; !work.stopped.aborted;) {
    try {
      await say(socket, next);
      work.journal.answered(work.name);
      next += 1;
      await rest(work, 5 + 95 * work.random());
    } catch (error) {
      if (error instanceof Ended) continue;
      work.journal.failed(work.name, error);
      await rest(work, 20);
    }
  }
  socket.disconnect();
};

/** Resolves when the number was acknowledged; the library keeps what is said until there is a connection. */
async function say(socket: Socket, value: number): Promise<void> {
  let ended: (() => void) | undefined;
  const end = new Promise<never>((_, reject) => {
    socket.once("disconnect", (ended = () => reject(new Ended())));
  });
  try {
    const acknowledged = socket.emitWithAck("say", value) as Promise<{ readonly value: number }>;
    const { value: heard } = await byDeadline(Promise.race([acknowledged, end]), "acknowledgement");
    if (heard !== value) throw new CutShort(`acknowledged ${heard} in place of ${value}`);
  } finally {
    socket.off("disconnect", ended);
  }
}

/** The code with which the server closed the WebSocket. */
function codeOf(details: unknown): number | undefined {
  const context = (details as { context?: { code?: unknown } } | undefined)?.context;
  return typeof context?.code === "number" ? context.code : undefined;
}
