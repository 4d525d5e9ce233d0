/** What a log file is made with. Runs in the supervisor; types only. */
import type { Clock } from "../../clock.ts";
import type { Disk, Ownership } from "./disk.ts";
import type { Housekeeping } from "./housekeeping.ts";
import type { OffsetAt } from "./rotation.ts";
import type { TroubleObserver } from "./troubles.ts";

export interface RotationRules {
  /** Bytes; undefined does not rotate by size. */
  readonly size: number | undefined;
  /** Milliseconds; undefined does not rotate by time. */
  readonly every: number | undefined;
  readonly offsetAt: OffsetAt;
}

export interface FileObserver extends TroubleObserver {
  /** Bytes were written, or nobody has to wait for them any more. */
  progress(bytes: number): void;
}

export interface LogFileOptions {
  /** Absolute. */
  readonly file: string;
  readonly rotation: RotationRules;
  readonly ownership: Ownership;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly observer: FileObserver;
  readonly housekeeping: Housekeeping;
}
