/**
 * What a worker thread's `listen()` comes to: Node's own socket, which no other instance has and no drain waits for. So it is said.
 * Runs in the main thread and in the worker threads of an instance of `choir start`.
 */
import net from "node:net";
import { getEnvironmentData, setEnvironmentData } from "node:worker_threads";

/** What worker threads find in their environment data: memory that they share with the main thread. */
const KEY = "choir.worker-listens";

/** In the main thread, before there are worker threads; the result tells whether a server has listened in one. */
export function watchWorkers(): () => boolean {
  const told = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  setEnvironmentData(KEY, told);
  return () => Atomics.load(told, 0) === 1;
}

/** In a worker thread: warns, once for each thread, when a server listens. */
export function warnOfListening(): void {
  const told = getEnvironmentData(KEY);
  if (!(told instanceof Int32Array)) return;
  const prototype = net.Server.prototype as { listen: (this: net.Server, ...args: unknown[]) => net.Server };
  const { listen } = prototype;
  prototype.listen = function listenInWorker(...args) {
    prototype.listen = listen;
    Atomics.store(told, 0, 1);
    process.emitWarning(
      "A server listens in a worker thread: choir start does not see it, so it is neither shared by the instances nor drained, and an address of its own " +
        "is free for one instance only. Listen in the main thread instead",
      { code: "CHOIR_WORKER_LISTENS" },
    );
    return listen.apply(this, args);
  };
}
