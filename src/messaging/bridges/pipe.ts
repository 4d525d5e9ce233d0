/**
 * The bridge's end of a pub/sub pipe within the supervisor: to the broker it is one more instance, subscribed to everything. So a
 * message goes to it as to any subscriber, what it brings is not given back to it, and without a bridge nothing is spent on it.
 */
import { Duplex } from "node:stream";
import {
  FLAG,
  FRAME,
  FrameReader,
  HEAD_BYTES,
  MESSAGE_FIELD_BYTES,
  controlBytes,
  writeControl,
  writeUint32,
} from "../frames.ts";
import { isTopic } from "../topics.ts";

/** What the broker gives to the bridge. Payloads are views that hold during the call. */
export interface PipeListener {
  message(topic: string, payload: Buffer, isBytes: boolean): void;
  retain(topic: string, payload: Buffer, isBytes: boolean): void;
  clear(topic: string): void;
  subscribe(pattern: string): void;
  unsubscribe(pattern: string): void;
  /** The broker did not keep a value of another machine: its limit is reached. */
  refused(): void;
}

/** A value of another machine. */
export interface Brought {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly isBytes: boolean;
}

/** Bytes of other machines' messages that may wait for the broker, which holds its publishers up now and then. */
const MAX_WAITING = 16 * 1024 * 1024;

export class BridgePipe extends Duplex {
  readonly #listener: PipeListener;
  readonly #reader = new FrameReader();
  /** What is given to the broker together, at the end of the tick. */
  #gathered: Buffer[] = [];
  #gatheredBytes = 0;
  #scheduled = false;
  #retaining = false;
  #lost = 0;

  constructor(listener: PipeListener) {
    super();
    this.#listener = listener;
    this.push(control(FRAME.subscribe, ">"));
  }

  /** Messages of other machines that were lost here, since the instances were too slow. */
  get lost(): number {
    return this.#lost;
  }

  /** Gives a message to the instances that subscribed. */
  bring(message: Brought): void {
    this.#give([messageFrame(message)]);
  }

  /** Gives it to them and retains it. */
  bringRetained(message: Brought): void {
    this.#give([control(FRAME.retain), messageFrame(message)]);
  }

  /** Has the retained value forgotten. */
  bringClear(topic: string): void {
    this.#give([control(FRAME.clear, topic)]);
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#reader.push(chunk);
    while (this.#reader.next()) this.#onFrame(this.#reader);
    done();
  }

  #give(frames: readonly Buffer[]): void {
    const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
    if (this.destroyed || this.readableLength + this.#gatheredBytes + bytes > MAX_WAITING) {
      this.#lost++;
      return;
    }
    this.#gathered.push(...frames);
    this.#gatheredBytes += bytes;
    if (this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    const frames = this.#gathered;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    if (!this.destroyed) this.push(Buffer.concat(frames));
  }

  #onFrame(frame: FrameReader): void {
    switch (frame.type) {
      case FRAME.message:
        this.#onMessage(frame);
        return;
      case FRAME.retain:
        this.#retaining = true;
        return;
      case FRAME.clear:
        this.#listener.clear(frame.topic());
        return;
      case FRAME.subscribe:
        this.#listener.subscribe(frame.topic());
        return;
      case FRAME.unsubscribe:
        this.#listener.unsubscribe(frame.topic());
        return;
      case FRAME.refused:
        this.#listener.refused();
        return;
      default:
    }
  }

  #onMessage({ buffer, body, end }: FrameReader): void {
    const topicStart = body + MESSAGE_FIELD_BYTES;
    const topicEnd = topicStart + (buffer[body + 1] ?? 0);
    const topic = buffer.toString("latin1", topicStart, topicEnd);
    const payload = buffer.subarray(topicEnd, end);
    const isBytes = ((buffer[body] ?? 0) & FLAG.bytes) !== 0;
    if (this.#retaining) this.#listener.retain(topic, payload, isBytes);
    else this.#listener.message(topic, payload, isBytes);
    this.#retaining = false;
  }
}

/** A frame of a request; the bridge needs no answer, so all have the same id. */
function control(type: number, topic = ""): Buffer {
  const buffer = Buffer.allocUnsafe(controlBytes(topic));
  writeControl(buffer, 0, { type, id: 0, topic });
  return buffer;
}

function messageFrame({ topic, payload, isBytes }: Brought): Buffer {
  // What is no topic would break the pipe: names.ts has seen to it.
  if (!isTopic(topic)) throw new Error(`No topic: ${topic}. This is a bug in Choir`);
  const at = HEAD_BYTES + MESSAGE_FIELD_BYTES + topic.length;
  const frame = Buffer.allocUnsafe(at + payload.length);
  writeUint32(frame, frame.length - 4, 0);
  frame[HEAD_BYTES - 1] = FRAME.message;
  frame[HEAD_BYTES] = isBytes ? FLAG.bytes : 0;
  frame[HEAD_BYTES + 1] = topic.length;
  frame.write(topic, HEAD_BYTES + MESSAGE_FIELD_BYTES, "latin1");
  frame.set(payload, at);
  return frame;
}
