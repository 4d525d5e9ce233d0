/**
 * Looks into this process for whoever asks the supervisor: where its CPU time goes, and what is in its heap. Runs in the instance, by V8's
 * own inspector inside of the process: no port is opened, as --inspect would.
 */
import { Session } from "node:inspector";
import { getHeapSnapshot } from "node:v8";

/** Microseconds between two samples: V8's default. */
const SAMPLE_MICROSECONDS = 1000;

/** V8's CPU profile of the next `ms` milliseconds, as Chrome's DevTools and other tools read it (.cpuprofile). */
export async function* cpuProfile(ms: number): AsyncGenerator<Buffer> {
  const session = new Session();
  session.connect();
  try {
    await post(session, "Profiler.enable");
    await post(session, "Profiler.setSamplingInterval", { interval: SAMPLE_MICROSECONDS });
    await post(session, "Profiler.start");
    await new Promise((resolve) => {
      // A profile must not keep a process that has drained.
      setTimeout(resolve, ms).unref();
    });
    const { profile } = (await post(session, "Profiler.stop")) as { profile: unknown };
    yield Buffer.from(JSON.stringify(profile));
  } finally {
    session.disconnect();
  }
}

/** V8's snapshot of the heap (.heapsnapshot). The loop is blocked while it is taken, seconds for each GB, not while it is sent. */
export function heapSnapshot(): AsyncIterable<Buffer> {
  return getHeapSnapshot();
}

function post(session: Session, method: string, parameters: object = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    session.post(method, parameters, (error: Error | null, result?: object) => {
      if (error === null) resolve(result);
      else reject(error);
    });
  });
}
