/** How long a connection that we have ended is read from. Runs in the instance. */
import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";

/** How long we read on after our last byte, so that no reset overtakes it. */
const LINGER_MS = 1000;

/** Gives a client a second to read what we sent last and to close in its turn. */
export function lingerAfterEnd(socket: Socket, clock: Clock): void {
  const linger = (): void => {
    clock.after(LINGER_MS, () => socket.destroy());
  };
  if (socket.writableFinished) linger();
  else socket.once("finish", linger);
}
