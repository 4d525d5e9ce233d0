/**
 * Hears of every HTTP/1 answer that was written to its end. Runs in the instance. Node publishes it on a channel of its own: a listener
 * for each response would cost far more, and a patched prototype is lost on frameworks that replace it.
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

const CHANNEL = "http.server.response.finish";

/** Calls back for the answers of all servers in this process, until the function it returns is called. */
export function onResponseFinish(listener: (response: ServerResponse, socket: Socket) => void): () => void {
  const onMessage = (message: unknown): void => {
    const { response, socket } = message as { response: ServerResponse; socket: Socket };
    listener(response, socket);
  };
  subscribe(CHANNEL, onMessage);
  return () => void unsubscribe(CHANNEL, onMessage);
}
