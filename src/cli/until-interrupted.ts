/** Lets a command that goes on be ended by a signal, or by a reader of its output that has seen enough. */

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs `work` until it ends by itself, or its signal says that somebody wants the command to end. */
export async function untilInterrupted(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  for (const signal of SIGNALS) process.on(signal, abort);
  process.stdout.on("error", abort);
  try {
    await work(controller.signal);
  } finally {
    for (const signal of SIGNALS) process.off(signal, abort);
    process.stdout.off("error", abort);
  }
}
