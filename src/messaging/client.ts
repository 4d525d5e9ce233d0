/**
 * An instance's pub/sub client: frames to and from the broker over the pipe the instance inherited. Runs in the instance; the
 * other side is broker.ts.
 */
import type { Duplex } from "node:stream";
import { ChoirError, quote, type ErrorCode } from "../errors.ts";
import { Batch } from "./batch.ts";
import { FLAG, FRAME, FrameReader, MESSAGE_FIELD_BYTES, REFUSAL } from "./frames.ts";
import { Gate } from "./gate.ts";
import type { MessageHandler, MessageStream, PubSub, PublishOptions, Subscription } from "./pubsub.ts";
import { HandlerSubscription, IteratorSubscription, type ActiveSubscription } from "./subscriptions.ts";
import { TopicTable } from "./topic-table.ts";
import { checkPattern, checkTopic } from "./topics.ts";
import { decodeValue } from "./value.ts";

export interface PubSubClientOptions {
  /** Told what a handler threw, what could not be decoded, and what an unread async iterator lost. */
  readonly onHandlerError: (error: unknown, topic: string) => void;
}

/** A request that the broker has not answered. */
interface Pending {
  resolve(): void;
  reject(error: ChoirError): void;
  /** The subscription that it is about, until it holds. */
  readonly subscription: ActiveSubscription | undefined;
}

/** What a publisher that does not wait has encoded before it is made to. */
const BATCH_BYTES = 64 * 1024;
const ACCEPTED = Promise.resolve();

export class PubSubClient implements PubSub {
  readonly #stream: Duplex;
  readonly #options: PubSubClientOptions;
  readonly #batch = new Batch();
  readonly #gate: Gate;
  readonly #reader = new FrameReader();
  readonly #topics = new TopicTable<ActiveSubscription>();
  /** All subscriptions by pattern, those that the broker does not have yet among them: the last one's end is told to it. */
  readonly #patterns = new Map<string, Set<ActiveSubscription>>();
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  /** Gets the retained values that come now. */
  #beginning: ActiveSubscription | undefined;
  #scheduled = false;
  #reading = false;
  #closed: ChoirError | undefined;

  /** Takes the stream over; whether it keeps the process alive is the caller's to say. */
  constructor(stream: Duplex, options: PubSubClientOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#gate = new Gate(stream);
    const end = () => this.#end();
    stream.on("error", (error) => this.#end(error));
    stream.on("close", end);
    stream.on("end", end);
    stream.on("data", (chunk: Buffer) => this.#read(chunk));
  }

  publish(topic: string, value: unknown, options?: PublishOptions): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    try {
      if (options?.retain === true) return this.#publishRetained(topic, value);
      this.#batch.message(topic, value);
    } catch (error) {
      return Promise.reject(error);
    }
    if (this.#batch.length >= BATCH_BYTES) {
      this.#send();
      // Also when the pipe took it all: else a loop of awaited publishes would starve timers and sockets.
      return this.#gate.close();
    }
    if (!this.#scheduled) this.#schedule();
    return this.#gate.closed ?? ACCEPTED;
  }

  subscribe<T = unknown>(topic: string, handler: MessageHandler<T>): Promise<Subscription>;
  subscribe<T = unknown>(topic: string): MessageStream<T>;
  subscribe<T>(topic: string, handler?: MessageHandler<T>): Promise<Subscription> | MessageStream<T> {
    if (handler !== undefined) return this.#subscribe(topic, handler);
    checkPattern(topic);
    return new IteratorSubscription<T>(topic, this.#host, (self) => this.#begin(self));
  }

  async clear(topic: string): Promise<void> {
    checkTopic(topic);
    await this.#request({ type: FRAME.clear, topic });
  }

  flush(): Promise<void> {
    return this.#request({ type: FRAME.flush });
  }

  async close(): Promise<void> {
    if (this.#closed === undefined) {
      this.#send();
      this.#fail();
      this.#stream.end(() => this.#stream.destroy());
    }
    if (this.#stream.closed) return;
    await new Promise<void>((resolve) => {
      this.#stream.once("close", resolve);
    });
  }

  readonly #host = {
    drop: (subscription: ActiveSubscription) => this.#drop(subscription),
    report: (error: unknown, topic: string) => this.#options.onHandlerError(error, topic),
  };

  #publishRetained(topic: string, value: unknown): Promise<void> {
    const id = this.#nextId();
    this.#batch.message(topic, value, id);
    this.#schedule();
    return this.#answerOf(id);
  }

  async #subscribe<T>(topic: string, handler: MessageHandler<T>): Promise<Subscription> {
    checkPattern(topic);
    if (typeof handler !== "function") {
      throw new TypeError(`Handler of subscription "${topic}" must be a function, got ${quote(handler)}`);
    }
    const subscription = new HandlerSubscription(topic, handler, this.#host);
    await this.#begin(subscription);
    return subscription;
  }

  async #begin(subscription: ActiveSubscription): Promise<void> {
    const { topic } = subscription;
    if (this.#closed === undefined) {
      const others = this.#patterns.get(topic);
      if (others === undefined) this.#patterns.set(topic, new Set([subscription]));
      else others.add(subscription);
    }
    try {
      await this.#request({ type: FRAME.subscribe, topic, subscription });
    } catch (error) {
      this.#forget(subscription);
      subscription.end(error instanceof ChoirError ? error : undefined);
      throw error;
    }
  }

  async #drop(subscription: ActiveSubscription): Promise<void> {
    subscription.end();
    if (!this.#forget(subscription) || this.#closed !== undefined) return;
    // When the pipe closes meanwhile, the subscription is gone too.
    await this.#request({ type: FRAME.unsubscribe, topic: subscription.topic }).catch(() => {});
  }

  /** Whether it was the last one of its pattern. */
  #forget(subscription: ActiveSubscription): boolean {
    const { topic } = subscription;
    this.#topics.remove(topic, subscription);
    const others = this.#patterns.get(topic);
    if (others === undefined || !others.delete(subscription) || others.size > 0) return false;
    this.#patterns.delete(topic);
    return true;
  }

  #request(request: { type: number; topic?: string; subscription?: ActiveSubscription }): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    const { type, topic = "", subscription } = request;
    const id = this.#nextId();
    this.#batch.control({ type, id, topic });
    this.#schedule();
    return this.#answerOf(id, subscription);
  }

  #nextId(): number {
    this.#lastId = (this.#lastId + 1) >>> 0;
    return this.#lastId;
  }

  #answerOf(id: number, subscription?: ActiveSubscription): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, subscription });
    });
  }

  /** All that is sent during one turn of the event loop goes in one write. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#onTurn);
  }

  readonly #onTurn = (): void => {
    this.#scheduled = false;
    if (this.#closed !== undefined) return;
    this.#send();
    this.#gate.closeIfFull();
  };

  #send(): void {
    const parts = this.#batch.take();
    if (parts.length > 1) this.#stream.cork();
    for (const part of parts) this.#stream.write(part, this.#gate.onWritten);
    if (parts.length > 1) this.#stream.uncork();
  }

  #read(chunk: Buffer): void {
    this.#reader.push(chunk);
    // A stream within the process delivers during our own writes.
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (this.#closed === undefined && this.#reader.next()) this.#onFrame(this.#reader);
    } catch (error) {
      this.#end(error);
    } finally {
      this.#reading = false;
    }
  }

  #onFrame(frame: FrameReader): void {
    if (frame.type === FRAME.message) {
      this.#deliver(frame);
      return;
    }
    const id = frame.id();
    const pending = this.#pending.get(id);
    if (frame.type === FRAME.begin) {
      const subscription = pending?.subscription;
      this.#beginning = subscription;
      // It may have been unsubscribed since.
      if (subscription === undefined || this.#patterns.get(subscription.topic)?.has(subscription) !== true) return;
      this.#topics.add(subscription.topic, subscription);
      return;
    }
    this.#pending.delete(id);
    if (pending?.subscription !== undefined) this.#beginning = undefined;
    if (frame.type === FRAME.refused) pending?.reject(refusal(frame));
    else pending?.resolve();
  }

  #deliver(frame: FrameReader): void {
    const { buffer, body, end } = frame;
    const topicStart = body + MESSAGE_FIELD_BYTES;
    const topicEnd = topicStart + (buffer[body + 1] ?? 0);
    const { topic, targets } = this.#topics.matchBytes(buffer, topicStart, topicEnd);
    const retained = ((buffer[body] ?? 0) & FLAG.retained) !== 0;
    const only = retained ? this.#beginning : undefined;
    if (retained ? only === undefined : targets.length === 0) return;
    let value: unknown;
    try {
      value = decodeValue(frame);
    } catch (error) {
      this.#options.onHandlerError(error, topic);
      return;
    }
    const info = { topic, retained };
    if (only !== undefined) only.deliver(value, info, end - topicEnd);
    else for (const target of targets) target.deliver(value, info, end - topicEnd);
  }

  /** The pipe has ended, or cannot be used. */
  #end(cause?: unknown): void {
    if (this.#closed !== undefined) return;
    this.#fail(cause);
    this.#stream.destroy();
  }

  /** Everything that waits for the broker ends here. */
  #fail(cause?: unknown): void {
    const message = "Connection to the broker is closed: the instance or its supervisor is ending";
    const closed = new ChoirError("ERR_CHOIR_PUBSUB_CLOSED", message, cause === undefined ? {} : { cause });
    this.#closed = closed;
    for (const pending of this.#pending.values()) pending.reject(closed);
    this.#pending.clear();
    for (const subscriptions of this.#patterns.values()) for (const each of subscriptions) each.end();
    this.#patterns.clear();
    this.#gate.fail(closed);
  }
}

function refusal(frame: FrameReader): ChoirError {
  const at = frame.body + 4;
  const code: ErrorCode =
    frame.buffer[at] === REFUSAL.retainedLimit ? "ERR_CHOIR_RETAINED_LIMIT" : "ERR_CHOIR_SUBSCRIPTION_LIMIT";
  return new ChoirError(code, frame.buffer.toString("utf8", at + 1, frame.end));
}
