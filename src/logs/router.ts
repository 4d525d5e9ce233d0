/**
 * Where all logs meet: the pipes of every instance and the supervisor's own events go to every sink. Runs in the supervisor;
 * the other side of the pipes is the instance's plain stdout and stderr.
 */
import type { Readable } from "node:stream";
import type { Clock } from "../clock.ts";
import { describeEvent } from "../describe-event.ts";
import type { ChoirEvent } from "../events.ts";
import { LEVELS } from "./levels.ts";
import type { LogRecord, Origin } from "./record.ts";
import type { Sink } from "./sinks/sink.ts";
import { StreamReader } from "./stream-reader.ts";

export interface LogRouterOptions {
  /** The Runner's name. */
  readonly name: string;
  /** Empty for --quiet without files. */
  readonly sinks: readonly Sink[];
  readonly clock: Clock;
}

/** The process whose pipes are read. */
export interface LoggedInstance {
  /** The slot's number. */
  readonly instance: number;
  readonly generation: number;
  readonly pid: number;
  readonly stdout: Readable;
  readonly stderr: Readable;
}

/** Sends every record to every sink. */
export class LogRouter {
  readonly #options: LogRouterOptions;
  readonly #instances = new Set<InstanceLog>();

  constructor(options: LogRouterOptions) {
    this.#options = options;
  }

  /** Logs what happened in the supervisor. */
  event(event: ChoirEvent): void {
    const description = describeEvent(event);
    const { name, clock } = this.#options;
    const level = LEVELS[description.level];
    if (level < LEVELS.info) return;
    this.#write([{ kind: "event", level, time: clock.date(), name, event, description }]);
  }

  /** Begins to read an instance's pipes, and does so until they end. */
  attach(instance: LoggedInstance): InstanceLog {
    const log = new InstanceLog(instance, { ...this.#options, write: (records) => this.#write(records) });
    this.#instances.add(log);
    void log.ended.then(() => this.#instances.delete(log));
    return log;
  }

  /** Writes what is held back and waits for the sinks, each within its own deadline. */
  async flush(): Promise<void> {
    for (const log of this.#instances) log.flush();
    await Promise.all(this.#options.sinks.map((sink) => sink.flush()));
  }

  /** Resolved when the pipes of all instances that ended are read to their end, or after `patienceMs`. */
  async settle(patienceMs: number): Promise<void> {
    const ended = Promise.all([...this.#instances].map((log) => log.ended));
    await Promise.race([ended, new Promise<void>((resolve) => this.#options.clock.after(patienceMs, resolve))]);
  }

  /** Stops reading what is still open, for a process that an app left behind may hold a pipe for ever, then flushes. */
  async close(): Promise<void> {
    for (const log of this.#instances) log.close();
    await this.flush();
  }

  #write(records: readonly LogRecord[]): void {
    for (const sink of this.#options.sinks) sink.write(records);
  }
}

interface InstanceLogOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly write: (records: readonly LogRecord[]) => void;
}

/** How many lines of stderr are remembered, and how much of each, in characters. */
const LAST_WORDS = { lines: 20, characters: 1000 } as const;

/** The two pipes of one instance. */
export class InstanceLog {
  /** Resolves when both pipes have ended; a process that the app started and left behind may delay it without bound. */
  readonly ended: Promise<void>;
  readonly #readers: readonly StreamReader[];
  readonly #lastWords: string[] = [];
  #fatalError: string | undefined;
  #interceptor: ((line: string) => boolean) | undefined;

  constructor({ stdout, stderr, ...who }: LoggedInstance, { name, ...options }: InstanceLogOptions) {
    const origin = (stream: Origin["stream"]): Origin => ({ name, ...who, stream });
    const onLine = ({ text }: { text: string }): boolean => this.#sees(text);
    const out = new StreamReader(stdout, { ...options, origin: origin("stdout") });
    const err = new StreamReader(stderr, { ...options, origin: origin("stderr"), onLine });
    this.#readers = [out, err];
    this.ended = Promise.all([out.ended, err.ended]).then(() => {});
  }

  /** The last lines of stderr, for the message about a start that failed. */
  lastWords(): string[] {
    return [...this.#lastWords];
  }

  /** What V8 said when it ended the process, without its stack of machine code: that is longer than the last lines. */
  get fatalError(): string | undefined {
    return this.#fatalError;
  }

  /** Calls `interceptor` with each further line of stderr; those for which it returns true are kept out of the log. */
  intercept(interceptor: (line: string) => boolean): void {
    this.#interceptor = interceptor;
  }

  /** Writes what is held back; a line without its end stays. */
  flush(): void {
    for (const reader of this.#readers) reader.flush();
  }

  /** Stops reading, as if the instance were gone. */
  close(): void {
    for (const reader of this.#readers) reader.close();
  }

  #sees(text: string): boolean {
    if (this.#interceptor?.(text) === true) return false;
    if (text.startsWith("FATAL ERROR: ")) this.#fatalError = text.slice(0, LAST_WORDS.characters);
    if (this.#lastWords.length === LAST_WORDS.lines) this.#lastWords.shift();
    this.#lastWords.push(text.slice(0, LAST_WORDS.characters));
    return true;
  }
}
