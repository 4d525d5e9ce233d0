/**
 * How topics are called between machines: `<prefix>.<topic>`, and `<prefix>.$…` for what supervisors tell each other, which no
 * topic can collide with. Used in the supervisor; pure.
 */
import { isTopic } from "../topics.ts";

const RETAIN = "$retain.";

export class Names {
  readonly #prefix: string;
  /** Where supervisors say that they are there. */
  readonly peers: string;
  /** Where supervisors say which lock has changed. */
  readonly locks: string;
  /** Where supervisors say who responds to what. */
  readonly requests: string;
  /** Every retained value and clear, whatever the topic: each supervisor has all. */
  readonly allRetained: string;

  /** `prefix` is the app's name: letters, digits, `_`, `.`, `@` and `-`. */
  constructor(prefix: string) {
    const token = prefixToken(prefix);
    this.#prefix = `${token}.`;
    this.peers = `${token}.$peers`;
    this.locks = `${token}.$locks`;
    this.requests = `${token}.$requests`;
    this.allRetained = `${token}.${RETAIN}>`;
  }

  /** The subject of a topic or pattern. */
  subject(topic: string): string {
    return this.#prefix + topic;
  }

  /** The subject of a topic's retained value. */
  retained(topic: string): string {
    return this.#prefix + RETAIN + topic;
  }

  /** Where requests to one supervisor's instances go, and the answers to its own. */
  requestsTo(origin: string): string {
    return `${this.requests}.${origin}`;
  }

  /** Whether it is a subject of requests, of whatever supervisor: who subscribes to all topics gets those of others too. */
  isOfRequests(subject: string): boolean {
    return subject === this.requests || subject.startsWith(`${this.requests}.`);
  }

  /** The topic of either subject; undefined when it is none. */
  topic(subject: string): string | undefined {
    if (!subject.startsWith(this.#prefix)) return undefined;
    const from = this.#prefix.length;
    const topic = subject.slice(subject.startsWith(RETAIN, from) ? from + RETAIN.length : from);
    return isTopic(topic) ? topic : undefined;
  }
}

/** A name as one token: a dot would make app `a` see the topics of app `a.b`. */
export function prefixToken(prefix: string): string {
  return prefix.replaceAll(".", "~");
}
