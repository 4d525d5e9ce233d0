/** Time and dice as arguments: everything that decides by them takes a `Clock`, so that tests own both. Used in both processes. */

export interface Timer {
  /** Cancels the timer; a second call does nothing. */
  cancel(): void;
}

export interface Clock {
  /** Milliseconds of a monotonic clock: for durations, never for dates. */
  now(): number;
  /** Milliseconds since the epoch: for dates, never for durations. */
  date(): number;
  /** Calls `callback` once, `ms` from now. The timer does not keep the process alive. */
  after(ms: number, callback: () => void): Timer;
  /** A number in [0, 1): for jitter. */
  random(): number;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  date: () => Date.now(),
  after(ms, callback) {
    // setTimeout fires at once for anything above 2^31-1 ms (24.8 days).
    const timer = setTimeout(callback, Math.min(ms, 0x7f_ff_ff_ff));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  random: () => Math.random(),
};
