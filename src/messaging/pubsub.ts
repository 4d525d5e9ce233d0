/** The pub/sub API as apps see it; types only. It is used in instances; client.ts implements it. */

import type { Answers, RequestHandler, RequestOptions } from "./requests.ts";

/** What comes with a value. */
export interface MessageInfo {
  /** The topic it was published to, also where the subscription is a pattern. */
  readonly topic: string;
  /** Whether it is the topic's last value, given because of the subscription, and not one that was published just now. */
  readonly retained: boolean;
}

/** A message as an async iterator gives it. */
export interface Message<T = unknown> extends MessageInfo {
  readonly value: T;
}

/**
 * Takes a message. What it returns is not waited for; when it throws or rejects, that is logged with the topic and nothing else
 * happens. Handlers of one client that get the same message get the same value: do not change it.
 */
export type MessageHandler<T = unknown> = (value: T, info: MessageInfo) => unknown;

export interface PublishOptions {
  /** Keeps the value as the topic's last one and gives it to whoever subscribes later. Default false. */
  readonly retain?: boolean;
}

/** What one `subscribe` has set up. It gets each message once, also where several of its client's patterns match. */
export interface Subscription {
  /** The topic or pattern subscribed to. */
  readonly topic: string;
  /**
   * Ends it: nothing is given to it from now on. Resolves when the broker knows; calling it again does nothing.
   */
  unsubscribe(): Promise<void>;
}

/**
 * A subscription that is read with `for await`. It is active at once, and ended by `unsubscribe()` or by leaving the loop.
 * What is not read yet is buffered: up to 10,000 messages or 1 MB, after which the oldest are dropped; that is logged once until
 * the reader has caught up with half of it. The loop ends when the client is closed.
 */
export interface MessageStream<T = unknown> extends Subscription, AsyncIterable<Message<T>> {
  /** Resolves when the broker has the subscription: what others publish from then on is not missed. */
  readonly ready: Promise<void>;
  [Symbol.asyncIterator](): AsyncIterator<Message<T>, undefined>;
}

/**
 * Sends messages to the other instances of the app and gets theirs.
 *
 * Topics are tokens of letters, digits, `_`, `=`, `/` and `-`, joined by dots, at most 255 characters. In a subscription `*` stands
 * for one token and a last `>` for one or more: `orders.*`, `orders.>`.
 */
export interface PubSub {
  /**
   * Publishes to every other instance that has subscribed; never to this one.
   *
   * A value is JSON (null, boolean, finite number, string, array, object) or a `Uint8Array`, at most 1 MB encoded. Properties that
   * are undefined are left out, `toJSON` is used, instances of classes travel as their own properties. Each publisher's
   * messages arrive in their order. Await it where much is published: it waits while the others do not keep up, and it lets
   * timers and requests in between.
   *
   * Resolves when the message is accepted, not when it is delivered; with `retain` when the broker keeps the value.
   * @throws ChoirError ERR_CHOIR_TOPIC, ERR_CHOIR_VALUE (with the path of what cannot be sent), ERR_CHOIR_RETAINED_LIMIT (the
   * message is not sent then), ERR_CHOIR_PUBSUB_CLOSED; all as a rejection.
   */
  publish(topic: string, value: unknown, options?: PublishOptions): Promise<void>;

  /**
   * Calls `handler` with every message of a topic or pattern, beginning with the values that are retained, this instance's own
   * among them. Resolves when the broker has the subscription and those values were given. `T` is not checked: it is what
   * you know of your publishers.
   * @throws ChoirError ERR_CHOIR_TOPIC, ERR_CHOIR_SUBSCRIPTION_LIMIT, ERR_CHOIR_PUBSUB_CLOSED; all as a rejection.
   */
  subscribe<T = unknown>(topic: string, handler: MessageHandler<T>): Promise<Subscription>;

  /**
   * Subscribes for `for await`. `T` is not checked.
   * @throws ChoirError ERR_CHOIR_TOPIC at once; what the broker refuses rejects `ready` and the first read.
   */
  subscribe<T = unknown>(topic: string): MessageStream<T>;

  /** Forgets the topic's retained value; resolves when the broker has. A topic without one is fine, a wildcard is not. */
  clear(topic: string): Promise<void>;

  /**
   * Asks one of the instances that respond to the topic, in turn, and resolves with its answer; this one is asked when no other
   * of this machine responds, and one of another machine when none of this one does. `value` is as in `publish`; left out it is null.
   * @throws RemoteError with what the responder's handler threw; ChoirError ERR_CHOIR_TIMEOUT (names who was silent),
   * ERR_CHOIR_NO_RESPONDER, ERR_CHOIR_RESPONDER_GONE, ERR_CHOIR_REQUEST_LIMIT, ERR_CHOIR_TOPIC, ERR_CHOIR_VALUE,
   * ERR_CHOIR_PUBSUB_CLOSED; the signal's reason; all as a rejection.
   */
  request<T = unknown>(topic: string, value?: unknown, options?: RequestOptions): Promise<T>;

  /**
   * Asks every other instance that responds to the topic, on all machines, and resolves when all have answered or at the deadline: with what came,
   * and with who did not answer. Nobody responding is no error.
   * @throws as `request`, but for what concerns a single responder.
   */
  requestAll<T = unknown>(topic: string, value?: unknown, options?: RequestOptions): Promise<Answers<T>>;

  /**
   * Answers requests of a topic or pattern, one handler for each in an instance. Resolves when the broker knows. An instance that
   * drains gets no more of them. `T` is not checked.
   * @throws ChoirError ERR_CHOIR_TOPIC, ERR_CHOIR_SUBSCRIPTION_LIMIT, ERR_CHOIR_PUBSUB_CLOSED; all as a rejection.
   */
  respond<T = unknown>(topic: string, handler: RequestHandler<T>): Promise<Subscription>;

  /** Resolves when the broker has handled all that this client sent before. */
  flush(): Promise<void>;

  /** Sends what was accepted, then closes: subscriptions end, and everything after this rejects. */
  close(): Promise<void>;
}
