/** The nouns of the benchmarks: who is measured, and how one is started, asked and ended. Runs in the harness. */

/** What a contestant is to serve. */
export interface HttpSetup {
  readonly app: "fastify" | "plain";
  readonly protocol: "http" | "https" | "http2";
  readonly instances: number;
}

/** A contestant that serves. */
export interface HttpServing {
  /** Without a slash at its end. */
  readonly url: string;
  /** From the command to the first answer, in milliseconds. */
  readonly startMs: number;
  readonly pids: () => Pids;
  /** Replaces every instance, one after the other; resolves when the manager says that it is done. */
  readonly restart: () => Promise<void>;
  /** Ends all instances at once, as `kill -9` does, and not their manager. */
  readonly killAll: () => Promise<void>;
  /** Whether instances are threads, which nobody outside can kill. */
  readonly threads: boolean;
  stop(): Promise<void>;
}

export interface Pids {
  readonly manager: readonly number[];
  readonly instances: readonly number[];
}

/** One of those that are compared. */
export interface Contestant<Setup, Serving> {
  /** As in `--peers` and in the results. */
  readonly name: string;
  /** As in tables. */
  readonly title: string;
  /** Takes part only in rows that name it. */
  readonly variant?: boolean;
  /** Why it cannot do what a row asks for; undefined if it can. */
  unable(setup: Setup, abilities: readonly Ability[]): string | undefined;
  start(setup: Setup): Promise<Serving>;
}

/** What not every contestant can do. */
export type Ability = "respawn" | "restart" | "zone";

export type HttpContestant = Contestant<HttpSetup, HttpServing>;
