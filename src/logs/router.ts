/**
 * Where all logs meet: the pipes of every instance and the supervisor's own events go to every sink. Runs in the supervisor;
 * the other side of the pipes is the instance's plain stdout and stderr.
 */
import type { Readable } from "node:stream";
import type { Clock } from "../clock.ts";
import { describeEvent } from "../describe-event.ts";
import type { ChoirEvent } from "../events.ts";
import type { Encoding, Threshold } from "./encode/encoder.ts";
import { LogCounts, type LogStatistics } from "./counts.ts";
import { isErrorRecord } from "./encode/records.ts";
import { countLines, type Segment } from "./encode/segment.ts";
import { formatJson } from "./format/json.ts";
import { LEVELS } from "./levels.ts";
import { LINE_LIMIT } from "./lines.ts";
import type { EventRecord, Origin } from "./record.ts";
import type { Sink } from "./sinks/sink.ts";
import { LogTail } from "./tail.ts";
import { StderrWatch } from "./stderr-watch.ts";
import { type ReadingRules, StreamReader } from "./stream-reader.ts";

export interface LogRouterOptions {
  /** The Runner's name. */
  readonly name: string;
  /** Empty for --quiet without files. */
  readonly sinks: readonly Sink[];
  readonly clock: Clock;
  /** What follows when a sink is slow: instances wait, or (the sinks see to it) lines are dropped. Default: wait. */
  readonly overflow?: "block" | "drop";
  /** The longest line, in bytes; default 64 KB. */
  readonly lineLimit?: number;
  /** pino's number; default that of "info". Lines and events below are left out. */
  readonly level?: number;
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

/** At this many bytes on their way to the sinks the pipes are not read any more, and at so many again, under `block`. */
const BACKLOG = { pause: 4 * 1024 * 1024, resume: 1024 * 1024 } as const;

/** How many times its patience `settle` waits for sinks that are slow. */
const SLOW_ROUNDS = 5;

/** What `LogTail` keeps; sinks of JSON share it. */
const TAIL_ENCODING = "json";

/** Sends every line to every sink. */
export class LogRouter {
  readonly #options: LogRouterOptions;
  readonly #rules: ReadingRules;
  readonly #instances = new Set<InstanceLog>();
  #pausedAt: number | undefined;
  /** The last lines, and those to come, for who looks in from outside. */
  readonly tail = new LogTail();
  readonly #threshold: Threshold;
  readonly #counts = new LogCounts();

  constructor(options: LogRouterOptions) {
    this.#options = options;
    const { sinks, clock, lineLimit = LINE_LIMIT, level = LEVELS.info } = options;
    this.#threshold = { level };
    this.#rules = {
      clock,
      lineLimit,
      threshold: this.#threshold,
      counts: this.#counts,
      encodings: [...new Set<Encoding>([...sinks.map(({ encoding }) => encoding), TAIL_ENCODING])],
      write: (encoding, segments) => this.#write(encoding, segments),
      loseAll: (bytes) => this.#loseAll(bytes),
    };
    for (const sink of sinks) sink.onProgress = () => this.#resume();
  }

  /** Whether instances may be waiting, since the sinks are slower than they write. */
  get isBlocked(): boolean {
    return this.#pausedAt !== undefined;
  }

  /** pino's number: lines and events below are left out. */
  get level(): number {
    return this.#threshold.level;
  }

  set level(level: number) {
    this.#threshold.level = level;
  }

  /** What was logged, and where it went. */
  statistics(): LogStatistics {
    return this.#counts.statistics(this.#options.sinks.flatMap((sink) => sink.written()));
  }

  /** Logs what happened in the supervisor. */
  event(event: ChoirEvent): void {
    this.#counts.take(event);
    const description = describeEvent(event);
    const { name, clock } = this.#options;
    const level = LEVELS[description.level];
    if (level < this.level) return;
    this.#counts.add(level);
    const record: EventRecord = { kind: "event", level, time: clock.date(), name, event, description };
    for (const encoding of this.#rules.encodings) {
      const format = typeof encoding === "function" ? encoding : formatJson;
      this.#write(encoding, [
        { bytes: Buffer.from(format(record)), isError: isErrorRecord(record), instance: undefined, isOwn: false },
      ]);
    }
  }

  /** Begins to read an instance's pipes, and does so until they end. */
  attach(instance: LoggedInstance): InstanceLog {
    const log = new InstanceLog(instance, this.#options.name, this.#rules);
    this.#instances.add(log);
    if (this.isBlocked) log.pause();
    void log.ended.then(() => this.#instances.delete(log));
    return log;
  }

  /** Has the sinks open their files anew. */
  reopen(): void {
    for (const sink of this.#options.sinks) sink.reopen?.();
  }

  /** Writes what is held back and waits for the sinks, each within its own deadline. */
  async flush(): Promise<void> {
    for (const log of this.#instances) log.flush();
    await Promise.all(this.#options.sinks.map((sink) => sink.flush()));
  }

  /**
   * Resolved when the pipes of all instances that ended are read to their end, or after `patienceMs`; while sinks are slow, after
   * several times that.
   */
  async settle(patienceMs: number): Promise<void> {
    let isEnded = false;
    const ended = Promise.all([...this.#instances].map((log) => log.ended)).then(() => {
      isEnded = true;
    });
    for (let round = 0; round < SLOW_ROUNDS; round += 1) {
      await Promise.race([ended, new Promise<void>((resolve) => this.#options.clock.after(patienceMs, resolve))]);
      if (isEnded || !this.isBlocked) return;
    }
  }

  /** Stops reading what is still open, for a process that an app left behind may hold a pipe for ever, then flushes. */
  async close(): Promise<void> {
    for (const log of this.#instances) log.close();
    await this.flush();
  }

  #write(encoding: Encoding, segments: readonly Segment[]): void {
    // Before the sinks, which may give the memory back: it copies what it keeps.
    if (encoding === TAIL_ENCODING) this.tail.take(segments);
    const sinks = this.#options.sinks.filter((sink) => sink.encoding === encoding);
    const shared = sinks.length > 1 ? segments.map((segment) => ({ ...segment, isOwn: false })) : segments;
    for (const sink of sinks) sink.write(shared);
    if (this.#options.overflow === "drop" || this.isBlocked || this.#backlog() < BACKLOG.pause) return;
    this.#pausedAt = this.#options.clock.now();
    for (const log of this.#instances) log.pause();
  }

  #loseAll(bytes: Buffer): boolean {
    const { sinks } = this.#options;
    if (sinks.length === 0 || !sinks.every((sink) => sink.isFull)) return false;
    const lines = countLines(bytes);
    for (const sink of sinks) sink.lose(lines);
    return true;
  }

  #resume(): void {
    if (!this.isBlocked || this.#backlog() > BACKLOG.resume) return;
    this.#pausedAt = undefined;
    for (const log of this.#instances) log.resume();
  }

  #backlog(): number {
    let bytes = 0;
    for (const sink of this.#options.sinks) bytes += sink.backlog;
    return bytes;
  }
}

/** The two pipes of one instance. */
export class InstanceLog {
  /** Resolves when both pipes have ended; a process that the app started and left behind may delay it without bound. */
  readonly ended: Promise<void>;
  readonly #readers: readonly StreamReader[];
  readonly #watch = new StderrWatch();

  constructor({ stdout, stderr, ...who }: LoggedInstance, name: string, rules: ReadingRules) {
    const origin = (stream: Origin["stream"]): Origin => ({ name, ...who, stream });
    const out = new StreamReader(stdout, { ...rules, origin: origin("stdout") });
    const err = new StreamReader(stderr, { ...rules, origin: origin("stderr"), watch: this.#watch });
    this.#readers = [out, err];
    this.ended = Promise.all([out.ended, err.ended]).then(() => {});
  }

  /** The last lines of stderr, for the message about a start that failed. */
  lastWords(): string[] {
    return this.#watch.lastWords;
  }

  /** What V8 said when it ended the process. */
  get fatalError(): string | undefined {
    return this.#watch.fatalError;
  }

  /** Calls `interceptor` with each further line of stderr; those for which it returns true are kept out of the log. */
  intercept(interceptor: (line: string) => boolean): void {
    this.#watch.interceptor = interceptor;
  }

  /** Stops reading for a while. */
  pause(): void {
    for (const reader of this.#readers) reader.pause();
  }

  resume(): void {
    for (const reader of this.#readers) reader.resume();
  }

  /** Writes what is held back; a line without its end stays. */
  flush(): void {
    for (const reader of this.#readers) reader.flush();
  }

  /** Stops reading, as if the instance were gone. */
  close(): void {
    for (const reader of this.#readers) reader.close();
  }
}
