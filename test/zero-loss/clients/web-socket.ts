/**
 * Says numbers on a WebSocket and waits for their echoes, by ws. Runs in the test's process. A close with 1001 is a replacement:
 * the client comes back and says again what was not echoed. Any other end, or an echo out of turn, is a failure.
 */
import { WebSocket } from "ws";
import { byDeadline, type Client, connectOptions, rest, type Work } from "./client.ts";
import { CutShort } from "./journal.ts";

const GOING_AWAY = 1001;

export const webSocket: Client = async (work) => {
  let next = 0;
  while (!work.stopped.aborted) {
    try {
      next = await conversation(work, next);
    } catch (error) {
      work.journal.failed(work.name, error);
      await rest(work, 20);
    }
  }
};

/** Goes on from a number until the server goes away or the client is stopped; gives the number to go on from. */
async function conversation(work: Work, from: number): Promise<number> {
  const socket = open(work);
  let next = from;
  let echoed: (() => void) | undefined;
  const closed = new Promise<never>((_, reject) => {
    socket.on("error", reject);
    socket.on("close", (code) => reject(new Closed(code)));
  });
  socket.on("message", (data: Buffer) => {
    if (Number(data.toString()) === next) echoed?.();
    else socket.emit("error", new CutShort(`echo ${data.toString()} in place of ${next}`));
  });
  try {
    const opened = new Promise((resolve) => socket.once("open", resolve));
    await byDeadline(Promise.race([opened, closed]), "open WebSocket");
    while (!work.stopped.aborted) {
      const echo = new Promise<void>((resolve) => (echoed = resolve));
      socket.send(String(next));
      await byDeadline(Promise.race([echo, closed]), `echo on a WebSocket`);
      work.journal.answered(work.name);
      next += 1;
      await Promise.race([rest(work, 5 + 95 * work.random()), closed]);
    }
  } catch (error) {
    if (!(error instanceof Closed) || error.code !== GOING_AWAY) throw error;
    work.journal.retried(work.name);
  } finally {
    closed.catch(() => {});
    socket.terminate();
  }
  return next;
}

class Closed extends Error {
  readonly code: number;
  constructor(code: number) {
    super(`closed with ${code}`);
    this.code = code;
  }
}

function open({ target }: Work): WebSocket {
  const { socketPath, ca, servername } = connectOptions(target);
  const url =
    socketPath === undefined ? `${target.origin.replace(/^http/, "ws")}/socket` : `ws+unix:${socketPath}:/socket`;
  return new WebSocket(url, { ...(ca === undefined ? {} : { ca, servername }), perMessageDeflate: false });
}
