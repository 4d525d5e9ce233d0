/**
 * An instance's pub/sub client: frames to and from the broker over the pipe the instance inherited. Runs in the instance; the
 * other side is broker.ts.
 */
import type { Duplex } from "node:stream";
import { ChoirError, describeThrown, quote } from "../errors.ts";
import { FLAG, FRAME, MESSAGE_FIELD_BYTES, type FrameReader } from "./frames.ts";
import { LockClient } from "./lock-client.ts";
import { Pipe } from "./pipe.ts";
import type { MessageHandler, MessageStream, PubSub, PublishOptions, Subscription } from "./pubsub.ts";
import { RequestClient } from "./request-client.ts";
import type { Answers, RequestHandler, RequestOptions } from "./requests.ts";
import { HandlerSubscription, IteratorSubscription, type ActiveSubscription } from "./subscriptions.ts";
import { TopicTable } from "./topic-table.ts";
import { checkPattern, checkTopic } from "./topics.ts";
import { decodeValue } from "./value.ts";

export interface PubSubClientOptions {
  /** Told what a handler threw, what could not be decoded, and what an unread async iterator lost. */
  readonly onHandlerError: (error: unknown, topic: string) => void;
  /** Told what a leader's callback threw, with the leader's name. */
  readonly onLeaderError: (error: unknown, leader: string) => void;
  /** As in PipeOptions. */
  readonly eager?: boolean;
}

export class PubSubClient implements PubSub {
  readonly #pipe: Pipe;
  readonly #options: PubSubClientOptions;
  readonly #topics = new TopicTable<ActiveSubscription>();
  /** All subscriptions by pattern, those that the broker does not have yet among them: the last one's end is told to it. */
  readonly #patterns = new Map<string, Set<ActiveSubscription>>();
  /** Subscriptions on their way to the broker, by the id of the frame. */
  readonly #starting = new Map<number, ActiveSubscription>();
  /** Gets the retained values that come now. */
  #beginning: ActiveSubscription | undefined;
  #requests: RequestClient | undefined;
  #locks: LockClient | undefined;

  /** Takes the stream over; whether it keeps the process alive is the caller's to say. */
  constructor(stream: Duplex, options: PubSubClientOptions) {
    this.#pipe = new Pipe(stream, options);
    const { onHandlerError, onLeaderError } = options;
    this.#options = { ...options, onHandlerError: guarded(onHandlerError), onLeaderError: guarded(onLeaderError) };
    this.#pipe.use(FRAME.message, {
      onFrame: (frame) => this.#onFrame(frame),
      onClosed: () => {
        for (const subscriptions of this.#patterns.values()) for (const each of subscriptions) each.end();
        this.#patterns.clear();
        this.#starting.clear();
      },
    });
  }

  publish(topic: string, value: unknown, options?: PublishOptions): Promise<void> {
    const { closed } = this.#pipe;
    if (closed !== undefined) return Promise.reject(closed);
    try {
      if (options?.retain === true) return this.#publishRetained(topic, value);
      this.#pipe.batch.message(topic, value);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#pipe.accept();
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
    await this.#pipe.request(FRAME.clear, topic);
  }

  request<T = unknown>(topic: string, value?: unknown, options?: RequestOptions): Promise<T> {
    return this.#requester.one(topic, value, options) as Promise<T>;
  }

  requestAll<T = unknown>(topic: string, value?: unknown, options?: RequestOptions): Promise<Answers<T>> {
    return this.#requester.all(topic, value, options) as Promise<Answers<T>>;
  }

  respond<T = unknown>(topic: string, handler: RequestHandler<T>): Promise<Subscription> {
    // T is the app's word for what is asked, as with `subscribe`.
    return this.#requester.respond(topic, handler as RequestHandler);
  }

  flush(): Promise<void> {
    return this.#pipe.request(FRAME.flush);
  }

  close(): Promise<void> {
    return this.#pipe.close();
  }

  /** Locks over the same pipe, which end with it. */
  get locks(): LockClient {
    this.#locks ??= new LockClient(this.#pipe, { report: this.#options.onLeaderError });
    return this.#locks;
  }

  /**
   * The instance is going to end: requests go to others from now on, and what it leads is for others to lead. Messages, locks and
   * requests under way go on. Resolves when the broker knows.
   */
  async retire(): Promise<void> {
    if (this.#pipe.closed !== undefined) return;
    this.#locks?.resign();
    await this.#requests?.retire();
  }

  /** The instance has answered its last request: aborts the signals of locks that are still held. */
  abandonLocks(): void {
    this.#locks?.abandon();
  }

  get #requester(): RequestClient {
    this.#requests ??= new RequestClient(this.#pipe);
    return this.#requests;
  }

  readonly #host = {
    drop: (subscription: ActiveSubscription) => this.#drop(subscription),
    report: (error: unknown, topic: string) => this.#options.onHandlerError(error, topic),
  };

  #publishRetained(topic: string, value: unknown): Promise<void> {
    const id = this.#pipe.nextId();
    this.#pipe.batch.message(topic, value, id);
    return new Promise((resolve, reject) => {
      this.#pipe.expect(id, { resolve, reject });
      this.#pipe.schedule();
    });
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
    if (this.#pipe.closed === undefined) {
      const others = this.#patterns.get(topic);
      if (others === undefined) this.#patterns.set(topic, new Set([subscription]));
      else others.add(subscription);
    }
    try {
      await this.#requestSubscription(subscription);
    } catch (error) {
      this.#forget(subscription);
      subscription.end(error instanceof ChoirError ? error : undefined);
      throw error;
    }
  }

  #requestSubscription(subscription: ActiveSubscription): Promise<void> {
    const pipe = this.#pipe;
    if (pipe.closed !== undefined) return Promise.reject(pipe.closed);
    const id = pipe.nextId();
    pipe.batch.control({ type: FRAME.subscribe, id, topic: subscription.topic });
    this.#starting.set(id, subscription);
    const settled = (): void => {
      this.#starting.delete(id);
      this.#beginning = undefined;
    };
    return new Promise((resolve, reject) => {
      pipe.expect(id, {
        resolve() {
          settled();
          resolve();
        },
        reject(error) {
          settled();
          reject(error);
        },
      });
      pipe.schedule();
    });
  }

  async #drop(subscription: ActiveSubscription): Promise<void> {
    subscription.end();
    if (!this.#forget(subscription) || this.#pipe.closed !== undefined) return;
    // When the pipe closes meanwhile, the subscription is gone too.
    await this.#pipe.request(FRAME.unsubscribe, subscription.topic).catch(() => {});
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

  #onFrame(frame: FrameReader): void {
    if (frame.type === FRAME.message) this.#deliver(frame);
    else if (frame.type === FRAME.begin) {
      const subscription = this.#starting.get(frame.id());
      this.#beginning = subscription;
      // It may have been unsubscribed since.
      if (subscription === undefined || this.#patterns.get(subscription.topic)?.has(subscription) !== true) return;
      this.#topics.add(subscription.topic, subscription);
    }
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
}

/** What an app throws may be such that it cannot be logged, as with a getter that throws; then its text is. */
function guarded(report: (error: unknown, about: string) => void): (error: unknown, about: string) => void {
  return (error, about) => {
    try {
      report(error, about);
    } catch {
      report(new Error(describeThrown(error)), about);
    }
  };
}
