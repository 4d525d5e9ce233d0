/** What an app sees of pub/sub. Used in the instance; the broker is on the supervisor's side. */

/** Tells a handler which topic a value came by. */
export interface MessageInfo {
  readonly topic: string;
  /** The value was kept from before the subscription. */
  readonly retained: boolean;
}

/** A subscription that lasts until it is ended. */
export interface Subscription {
  /** Resolves when the broker sends nothing more for it. */
  unsubscribe(): Promise<void>;
}

/** Publishes to every other instance, and subscribes. */
export interface PubSub {
  publish(topic: string, value: unknown, options?: { readonly retain?: boolean }): Promise<void>;
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller says what is published by that name
  subscribe<T>(topic: string, handler: (value: T, info: MessageInfo) => unknown): Promise<Subscription>;
  /** Resolves when the broker has handled all that came before. */
  flush(): Promise<void>;
  /** Drops a topic's retained value. */
  clear(topic: string): Promise<void>;
}
