/** Counts what is logged, for the metrics and the snapshot. Runs in the supervisor; a line costs one addition. */
import type { ChoirEvent, LevelName } from "../events.ts";
import { LEVELS } from "./levels.ts";
import type { Written } from "./sinks/sink.ts";

/** What was logged since the supervisor started. */
export interface LogStatistics {
  /** Lines by level, events of the supervisor among them; an error with its stack is one. Those below --log-level do not count. */
  readonly lines: Readonly<Record<LevelName, number>>;
  /** Lines that were longer than --log-line-limit. */
  readonly cut: number;
  /** Lines that could not be written, by sink: `console`, or a file. */
  readonly lost: Readonly<Record<string, number>>;
  /** Bytes written, by sink. */
  readonly writtenBytes: Readonly<Record<string, number>>;
}

const NAMES = Object.keys(LEVELS) as LevelName[];
const CONSOLE = "console";

export class LogCounts {
  /** Lines that were longer than they may be. */
  cut = 0;
  readonly #lines = new Float64Array(NAMES.length);
  readonly #lost = new Map<string, number>();

  /** Counts a line; `level` is pino's number. */
  add(level: number): void {
    // As levelName() has it: a number between two is the lower one's.
    const index = Math.min(Math.max(Math.floor(level / 10) - 1, 0), NAMES.length - 1);
    this.#lines[index] = (this.#lines[index] as number) + 1;
  }

  /** Counts the lines that an event says are lost. */
  take(event: ChoirEvent): void {
    if (event.event === "log-lines-lost") this.#lose(event.sink, event.lines);
    else if (event.event === "log-file-recovered") this.#lose(event.file, event.lostLines);
  }

  /** All of it. Each sink is there before it loses something: the first loss is what an alert waits for. */
  statistics(written: readonly Written[]): LogStatistics {
    const sinks = written.map(({ sink }): [string, number] => [sink, 0]);
    return {
      lines: Object.fromEntries(NAMES.map((name, index) => [name, this.#lines[index]])) as Record<LevelName, number>,
      cut: this.cut,
      lost: Object.fromEntries([[CONSOLE, 0], ...sinks, ...this.#lost]),
      writtenBytes: Object.fromEntries(written.map(({ sink, bytes }) => [sink, bytes])),
    };
  }

  #lose(sink: string, lines: number): void {
    if (lines > 0) this.#lost.set(sink, (this.#lost.get(sink) ?? 0) + lines);
  }
}
