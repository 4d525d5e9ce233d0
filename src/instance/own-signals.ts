/**
 * Keeps a file's own handlers of SIGTERM and SIGINT until the instance has drained, and hears its `process.send("ready")`. Runs in an
 * instance of `choir start`.
 */

const SIGNALS = ["SIGTERM", "SIGINT"] as const;
type Signal = (typeof SIGNALS)[number];
/** As Node calls it; its own types leave the number out. */
type SignalListener = (this: NodeJS.Process, signal: Signal, number: number) => void;

export interface OwnSignals {
  /** Calls the handlers that the app has registered; whether there were any. */
  run(): boolean;
}

/** To be called before the app's first line: handlers that are there already, those of Choir, are called when a signal comes. */
export function keepOwnSignals(): OwnSignals {
  const ours = new Map(SIGNALS.map((signal) => [signal, process.listeners(signal)]));
  const own = (signal: Signal) => process.listeners(signal).filter((listener) => !ours.get(signal)?.includes(listener));
  const emit = process.emit.bind(process) as (event: string | symbol, ...args: unknown[]) => boolean;
  process.emit = ((event: string | symbol, ...args: unknown[]): boolean => {
    const kept = ours.get(event as Signal);
    if (kept === undefined) return emit(event, ...args);
    // The app's would end the process before its requests are answered.
    for (const listener of kept as SignalListener[]) listener.call(process, event as Signal, Number(args[1] ?? 0));
    return true;
  }) as typeof process.emit;
  return {
    run() {
      const signal = SIGNALS.find((signal) => own(signal).length > 0);
      if (signal === undefined) return false;
      for (const listener of own(signal) as SignalListener[])
        listener.call(process, signal, signal === "SIGTERM" ? 15 : 2);
      return true;
    },
  };
}

/** Calls `onReady` when the app sends "ready" to whoever started it, as it does for other process managers. */
export function hearReady(onReady: () => void): void {
  const send = process.send?.bind(process);
  if (send === undefined) return;
  process.send = ((...args: Parameters<NonNullable<typeof send>>): boolean => {
    if (args[0] !== "ready") return send(...args);
    onReady();
    const callback = args.findLast((arg) => typeof arg === "function") as ((error: null) => void) | undefined;
    if (callback !== undefined) process.nextTick(callback, null);
    return true;
  }) as typeof send;
}
