/** The nouns of the message rows: processes that publish and subscribe, however values get from one to the other. */
import type { Contestant } from "./contestant.ts";
import type { Row } from "./row.ts";

export interface MessageSetup {
  readonly publishers: number;
  readonly subscribers: number;
}

/** Processes that are connected and wait for orders. */
export interface MessageServing {
  /** Publishers have the lowest numbers. */
  readonly participants: readonly Participant[];
  stop(): Promise<void>;
}

export interface Participant {
  /** Tells it what to do and resolves with what it answers; programs/messages/participant.mjs knows the orders. */
  readonly order: (order: object) => Promise<Record<string, number>>;
}

export type MessageContestant = Contestant<MessageSetup, MessageServing>;
export type MessageRow = Row<MessageSetup, MessageServing>;
