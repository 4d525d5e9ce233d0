/** Fails with what was awaited, and what there is instead, when a promise takes longer than `ms`. */
export async function within<T>(promise: Promise<T>, what: string | (() => string), ms = 8000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Error();
    timer = setTimeout(() => {
      error.message = `Not within ${ms} ms: ${typeof what === "string" ? what : what()}`;
      reject(error);
    }, ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whole turns of the event loop: all that is on its way inside of this process has arrived, none that is timed. */
export async function turns(count = 20): Promise<void> {
  for (let n = 0; n < count; n++) await new Promise((resolve) => setImmediate(resolve));
}
