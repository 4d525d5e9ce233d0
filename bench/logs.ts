/** The nouns of the log rows: processes that write lines, and the files in which the lines end. */
import type { Contestant } from "./contestant.ts";
import type { Participant } from "./messages.ts";
import type { Row } from "./row.ts";

export interface LogSetup {
  readonly writers: number;
}

/** Processes that are connected and wait for the order to write; programs/logs/writer.mjs knows it. */
export interface LogServing {
  readonly writers: readonly Participant[];
  /** Who takes the lines from the writers; nobody where they write into the files themselves. */
  readonly manager: readonly number[];
  /** All files that there are at present, those that were rotated too. */
  readonly files: () => readonly string[];
  stop(): Promise<void>;
}

export type LogContestant = Contestant<LogSetup, LogServing>;
export type LogRow = Row<LogSetup, LogServing>;
