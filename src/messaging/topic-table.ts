/**
 * Finds who gets a topic's messages: a trie of patterns, with what it gave remembered by topic, so that a message costs a
 * look-up. Used in both processes: the broker's targets are instances, the client's are subscriptions.
 */
import { frameError } from "./frames.ts";
import { isTopic } from "./topics.ts";

/** Who gets the messages of one topic; never changed, but replaced. */
export interface Match<T> {
  readonly topic: string;
  /** Each target once, however many of its patterns match. */
  readonly targets: readonly T[];
}

interface Node<T> {
  readonly children: Map<string, Node<T>>;
  /** Targets of the pattern that ends here. */
  readonly here: Set<T>;
  /** Targets of the pattern that ends here with `>`. */
  readonly rest: Set<T>;
}

interface Memo<T> {
  readonly bytes: Uint8Array;
  readonly match: Match<T>;
}

const MEMO_SLOTS = 64;
const REMEMBERED_TOPICS = 10_000;

export class TopicTable<T> {
  readonly #root: Node<T> = createNode();
  #size = 0;
  /** By topic; emptied when a pattern is added or removed, or when it is full. */
  readonly #known = new Map<string, Match<T>>();
  /** By a hash of the topic's bytes: spares the string for the topics in use now. */
  readonly #memo: (Memo<T> | undefined)[] = Array.from<undefined>({ length: MEMO_SLOTS });

  /** How many pairs of pattern and target it has. */
  get size(): number {
    return this.#size;
  }

  /** Adds a target to a pattern; it is there once, however often it is added. */
  add(pattern: string, target: T): void {
    let node = this.#root;
    const tokens = pattern.split(".");
    const rest = tokens.at(-1) === ">" && tokens.pop() !== undefined;
    for (const token of tokens) {
      let child = node.children.get(token);
      if (child === undefined) node.children.set(token, (child = createNode()));
      node = child;
    }
    const targets = rest ? node.rest : node.here;
    if (!targets.has(target)) this.#size++;
    targets.add(target);
    this.#forget();
  }

  /** Takes a target from a pattern; nothing happens when it is not there. */
  remove(pattern: string, target: T): void {
    const tokens = pattern.split(".");
    const rest = tokens.at(-1) === ">" && tokens.pop() !== undefined;
    const path: Node<T>[] = [this.#root];
    for (const token of tokens) {
      const child = path.at(-1)?.children.get(token);
      if (child === undefined) return;
      path.push(child);
    }
    const last = path.at(-1);
    if ((rest ? last?.rest : last?.here)?.delete(target) === true) this.#size--;
    // Empty nodes go, or a client that subscribes to ever new topics would fill the memory.
    for (let at = path.length - 1; at > 0 && isEmpty(path[at]); at--) {
      path[at - 1]?.children.delete(tokens[at - 1] ?? "");
    }
    this.#forget();
  }

  /** Finds who gets a valid topic. */
  match(topic: string): Match<T> {
    const known = this.#known.get(topic);
    if (known !== undefined) return known;
    const targets = new Set<T>();
    collect(this.#root, topic.split("."), 0, targets);
    const match = { topic, targets: [...targets] };
    if (this.#known.size >= REMEMBERED_TOPICS) this.#known.clear();
    this.#known.set(topic, match);
    return match;
  }

  /**
   * Finds who gets the topic whose characters lie in a frame.
   * @throws ChoirError ERR_CHOIR_FRAME when they are no topic.
   */
  matchBytes(buffer: Buffer, start: number, end: number): Match<T> {
    const slot = (end - start + 7 * (buffer[end - 1] ?? 0) + 31 * (buffer[(start + end) >> 1] ?? 0)) % MEMO_SLOTS;
    const memo = this.#memo[slot];
    if (memo !== undefined && equals(memo.bytes, buffer, start, end)) return memo.match;
    const topic = buffer.toString("latin1", start, end);
    if (!this.#known.has(topic) && !isTopic(topic)) throw frameError("a message without a valid topic");
    const match = this.match(topic);
    this.#memo[slot] = { bytes: new Uint8Array(buffer.subarray(start, end)), match };
    return match;
  }

  #forget(): void {
    if (this.#known.size > 0) this.#known.clear();
    this.#memo.fill(undefined);
  }
}

function createNode<T>(): Node<T> {
  return { children: new Map(), here: new Set(), rest: new Set() };
}

function isEmpty<T>(node: Node<T> | undefined): boolean {
  return node !== undefined && node.children.size === 0 && node.here.size === 0 && node.rest.size === 0;
}

function collect<T>(node: Node<T>, tokens: readonly string[], depth: number, into: Set<T>): void {
  const token = tokens[depth];
  if (token === undefined) {
    for (const target of node.here) into.add(target);
    return;
  }
  for (const target of node.rest) into.add(target);
  const exact = node.children.get(token);
  if (exact !== undefined) collect(exact, tokens, depth + 1, into);
  const any = node.children.get("*");
  if (any !== undefined) collect(any, tokens, depth + 1, into);
}

function equals(bytes: Uint8Array, buffer: Uint8Array, start: number, end: number): boolean {
  if (bytes.length !== end - start) return false;
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] !== buffer[start + at]) return false;
  }
  return true;
}
