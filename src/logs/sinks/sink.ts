/** Where records go. One sink is one file in this folder and one line where the sinks are put together. Runs in the supervisor. */
import type { LogRecord } from "../record.ts";

export interface Sink {
  /** Takes records in their order; never throws and never waits. All that came in one chunk come in one call. */
  write(records: readonly LogRecord[]): void;
  /** Resolves when all that was taken is written, given up or past the sink's deadline; never rejects. */
  flush(): Promise<void>;
}
