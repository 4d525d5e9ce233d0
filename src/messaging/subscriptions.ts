/** The two kinds of subscription that a client gives out: with a handler, and as an async iterator. Runs in the instance. */
import { ChoirError } from "../errors.ts";
import { Fifo } from "./fifo.ts";
import type { Message, MessageHandler, MessageInfo, MessageStream, Subscription } from "./pubsub.ts";

/** What a subscription needs of its client. */
export interface SubscriptionHost {
  /** Ends it, here and at the broker. */
  drop(subscription: ActiveSubscription): Promise<void>;
  /** Logs what went wrong in the app's code, or was lost by it. */
  report(error: unknown, topic: string): void;
}

/** A subscription as its client uses it. */
export interface ActiveSubscription extends Subscription {
  /** Gives it a message. `bytes` is the length of the encoded value. */
  deliver(value: unknown, info: MessageInfo, bytes: number): void;
  /** Nothing more comes: it was unsubscribed, or the client is closed, or (with an error) the broker refused it. */
  end(error?: ChoirError): void;
}

/** The bounds of what an async iterator buffers. */
const BUFFERED_MESSAGES = 10_000;
const BUFFERED_BYTES = 1024 * 1024;

/** Calls a handler. */
export class HandlerSubscription<T> implements ActiveSubscription {
  readonly topic: string;
  readonly #handler: MessageHandler<T>;
  readonly #host: SubscriptionHost;
  #ended = false;

  constructor(topic: string, handler: MessageHandler<T>, host: SubscriptionHost) {
    this.topic = topic;
    this.#handler = handler;
    this.#host = host;
  }

  deliver(value: unknown, info: MessageInfo): void {
    // An earlier handler of the same message may have unsubscribed this one.
    if (this.#ended) return;
    try {
      // T is the app's word for what its publishers send, as with JSON.parse.
      const result = this.#handler(value as T, info);
      if (isThenable(result)) result.then(undefined, (error: unknown) => this.#host.report(error, info.topic));
    } catch (error) {
      this.#host.report(error, info.topic);
    }
  }

  end(): void {
    this.#ended = true;
  }

  unsubscribe(): Promise<void> {
    return this.#host.drop(this);
  }
}

interface Buffered<T> {
  readonly message: Message<T>;
  readonly bytes: number;
}

interface Reader<T> {
  resolve(result: IteratorResult<Message<T>, undefined>): void;
  reject(error: ChoirError): void;
}

/** Buffers for a `for await` loop. */
export class IteratorSubscription<T> implements ActiveSubscription, MessageStream<T> {
  readonly topic: string;
  readonly ready: Promise<void>;
  readonly #host: SubscriptionHost;
  readonly #buffer = new Fifo<Buffered<T>>();
  readonly #readers = new Fifo<Reader<T>>();
  #bytes = 0;
  #overflowing = false;
  #ended = false;
  #error: ChoirError | undefined;

  /** `begin` sends the subscription to the broker and returns when it holds. */
  constructor(topic: string, host: SubscriptionHost, begin: (self: ActiveSubscription) => Promise<void>) {
    this.topic = topic;
    this.#host = host;
    this.ready = begin(this);
    // Who reads the messages need not await `ready`: the first read gives the same error.
    this.ready.catch(() => {});
  }

  deliver(value: unknown, info: MessageInfo, bytes: number): void {
    if (this.#ended) return;
    const message = { value: value as T, topic: info.topic, retained: info.retained };
    const reader = this.#readers.shift();
    if (reader !== undefined) {
      reader.resolve({ value: message, done: false });
      return;
    }
    this.#buffer.push({ message, bytes });
    this.#bytes += bytes;
    if (this.#buffer.length > BUFFERED_MESSAGES || this.#bytes > BUFFERED_BYTES) this.#overflow();
  }

  end(error?: ChoirError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    for (let reader = this.#readers.shift(); reader !== undefined; reader = this.#readers.shift()) {
      if (error === undefined) reader.resolve({ value: undefined, done: true });
      else reader.reject(error);
    }
  }

  unsubscribe(): Promise<void> {
    this.#buffer.clear();
    this.#bytes = 0;
    return this.#host.drop(this);
  }

  [Symbol.asyncIterator](): AsyncIterator<Message<T>, undefined> {
    return {
      next: () => this.#read(),
      return: async () => {
        await this.unsubscribe();
        return { value: undefined, done: true };
      },
    };
  }

  #read(): Promise<IteratorResult<Message<T>, undefined>> {
    const next = this.#buffer.shift();
    if (next !== undefined) {
      this.#bytes -= next.bytes;
      if (this.#buffer.length <= BUFFERED_MESSAGES / 2 && this.#bytes <= BUFFERED_BYTES / 2) this.#overflowing = false;
      return Promise.resolve({ value: next.message, done: false });
    }
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }

  /** A loop that does not read must not cost memory for ever: the oldest go, the newest always stays. */
  #overflow(): void {
    while (this.#buffer.length > 1 && (this.#buffer.length > BUFFERED_MESSAGES || this.#bytes > BUFFERED_BYTES)) {
      this.#bytes -= this.#buffer.shift()?.bytes ?? 0;
    }
    if (this.#overflowing) return;
    this.#overflowing = true;
    const what = `Subscription "${this.topic}" is not read: its oldest messages are dropped`;
    const hint = "Read it with for await without long pauses, or unsubscribe it";
    this.#host.report(new ChoirError("ERR_CHOIR_SLOW_READER", what, { hint }), this.topic);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
