/** What is measured: a row is one way of measuring with one or more figures. One file in rows/ for each. */
import type { Ability, HttpServing, HttpSetup } from "./contestant.ts";

/** One figure of a row. */
export interface Metric {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
  /** What Choir must reach beside others. */
  readonly bars?: readonly Bar[];
}

/** Choir's figure divided by that of `peer`, the median over rounds. */
export interface Bar {
  readonly peer: string;
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface Row<Setup, Serving> {
  readonly name: string;
  readonly title: string;
  /** How it is measured, in one sentence. */
  readonly how: string;
  readonly metrics: readonly Metric[];
  /** Rows with equal setups share one start of each contestant. */
  readonly setup: Setup;
  /** Programs that must be installed. */
  readonly tools: readonly string[];
  readonly abilities?: readonly Ability[];
  /** Default: every contestant but variants. */
  readonly contestants?: readonly string[];
  /** Takes part in every so-manieth round: throughput scatters, memory does not. Default 1: in all. */
  readonly every?: number;
  /**
   * All contestants are started together and measured in turn, so many times, and each turn counts as a round does: for what is less
   * than a machine's scatter from one minute to the next. Default: each is started, measured once and ended before the next.
   */
  readonly turns?: number;
  /** Whether code that ran often matters: a load runs before the first such row, or turns that do not count. */
  readonly warm: boolean;
  measure(serving: Serving, context: Context): Promise<Record<string, number>>;
}

export interface Context {
  /** How long to measure, in seconds. */
  readonly seconds: number;
  /** Something about this measurement that a reader of the results must know. */
  readonly note: (text: string) => void;
}

export type HttpRow = Row<HttpSetup, HttpServing>;
