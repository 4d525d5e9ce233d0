/**
 * Serves an app that has made an http.Server of its own over TLS: a server of ours takes the connections, and the app's gets the
 * events as if it had taken them itself. Runs in the instance.
 */
import type { Server } from "node:http";
import type { AppServer } from "../http/limits.ts";

/** A listener for one of these changes what Node does by itself: they are passed on only to an app that has one. */
const IF_HEARD = ["upgrade", "connect", "checkContinue", "checkExpectation"] as const;

/** Has `server` answer with what listens on the app's own; to be called when the app is ready. */
export function adopt(own: Server, server: AppServer): void {
  const pass = (event: string): void => {
    server.on(event, (...args: unknown[]) => own.emit(event, ...args));
  };
  pass("request");
  for (const event of IF_HEARD) if (own.listenerCount(event) > 0) pass(event);
  // As they are: by their names it is told whether they are the app's or a framework's (http/client-error.ts).
  for (const listener of own.listeners("clientError")) server.on("clientError", listener as () => void);
  Object.assign(server, { timeout: own.timeout });
}
