/** Where logs go. One sink is one file in this folder and one line where the sinks are put together. Runs in the supervisor. */
import type { Encoding } from "../encode/encoder.ts";
import type { Segment } from "../encode/segment.ts";

/** What one destination has got so far. */
export interface Written {
  /** `console`, or a file's name. */
  readonly sink: string;
  readonly bytes: number;
}

export interface Sink {
  readonly encoding: Encoding;
  /** Bytes taken that are on their way: none when writing fails, since waiting would not help then. */
  readonly backlog: number;
  /** Whether it would leave out whatever came now. */
  readonly isFull: boolean;
  /** Counts lines that it would have left out. */
  lose(lines: number): void;
  /** Called whenever there is less to write than before. */
  onProgress: (() => void) | undefined;
  /** Takes lines in their order; never throws and never waits. All that came in one chunk come in one call. */
  write(segments: readonly Segment[]): void;
  /** What was written so far. */
  written(): readonly Written[];
  /** Resolves when all that was taken is written, given up or past the sink's deadline; never rejects. */
  flush(): Promise<void>;
  /** Opens its files anew, for who has renamed them. */
  reopen?(): void;
}
