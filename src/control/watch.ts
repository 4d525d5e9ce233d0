/** Answers that show what happens as it happens: events and snapshots, and log lines. Used in the supervisor. */
import type { Clock, Timer } from "../clock.ts";
import { systemClock } from "../clock.ts";
import type { LogTail } from "../logs/tail.ts";
import { StreamAnswer, type TextStream } from "./answers.ts";
import type { Controllable } from "./controllable.ts";

export type EventSource = Pick<Controllable, "follow" | "snapshot">;

export interface EventOptions {
  /** Milliseconds between two snapshots; undefined for none. */
  readonly snapshots: number | undefined;
  /** `lines`: one JSON object a line; else server-sent events, as browsers' EventSource takes them. */
  readonly form: "lines" | "sse";
  /** Default: the system's. */
  readonly clock?: Clock;
}

/** Nothing is written for longer, in milliseconds: a proxy might take the connection for a dead one. */
const COMMENT_MS = 15_000;

/** Every event from now on, and snapshots between them. */
export function eventAnswer(source: EventSource, options: EventOptions): StreamAnswer {
  const { form, snapshots, clock = systemClock } = options;
  const contentType = form === "sse" ? "text/event-stream" : "application/x-ndjson";
  return new StreamAnswer(contentType, (out) => {
    const write = form === "sse" ? writeEvent : writeLine;
    const stop = source.follow((event) => write(out, "choir", event));
    const stopTimer = every(clock, snapshots ?? COMMENT_MS, () => {
      if (snapshots !== undefined) write(out, "snapshot", source.snapshot());
      else if (form === "sse") out.write(": \n\n");
    });
    if (snapshots !== undefined) write(out, "snapshot", source.snapshot());
    out.onClose(() => {
      stop();
      stopTimer();
    });
  });
}

/** The two kinds have names of their own: `choir` for events, as in the JSON log, and `snapshot`. */
function writeEvent(out: TextStream, name: "choir" | "snapshot", value: object): void {
  out.write(`event: ${name}\ndata: ${JSON.stringify(value)}\n\n`);
}

function writeLine(out: TextStream, name: "choir" | "snapshot", value: object): void {
  out.write(`${JSON.stringify(name === "choir" ? value : { snapshot: value })}\n`);
}

function every(clock: Clock, ms: number, action: () => void): () => void {
  let timer: Timer;
  const next = (): void => {
    timer = clock.after(ms, () => {
      next();
      action();
    });
  };
  next();
  return () => timer.cancel();
}

export interface LogOptions {
  /** How many of the last lines come first. */
  readonly lines: number;
  /** Whether those that are written from now on follow. */
  readonly follow: boolean;
}

/** Lines of the log as JSON. Who reads too slowly loses lines, and is told how many. */
export function logAnswer(tail: Pick<LogTail, "last" | "follow">, { lines, follow }: LogOptions): StreamAnswer {
  return new StreamAnswer("application/x-ndjson", (out) => {
    out.write(tail.last(lines));
    if (!follow) {
      out.end();
      return;
    }
    let lost = 0;
    const say = (): void => {
      if (lost > 0 && !out.isBehind) out.write(`${JSON.stringify({ lost })}\n`);
      if (!out.isBehind) lost = 0;
    };
    out.onRead(say);
    const stop = tail.follow((bytes, count) => {
      if (out.wouldBeBehind(bytes.length)) {
        lost += count();
        return;
      }
      say();
      out.write(bytes);
    });
    out.onClose(stop);
  });
}
