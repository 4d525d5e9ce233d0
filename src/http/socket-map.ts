/**
 * What is known of each of many sockets, oldest first: a Map whose keys carry their entries. Runs in the instance.
 *
 * With entries that come and go with every connection a Map is dear: V8 makes it a new table after as many removals as there were
 * entries. The old tables stay until the next full collection, and all connections of that time with them; these survive the collections
 * of new objects, which V8 answers by doubling the room for those (docs/decisions/0018-memory.md).
 */
import type { Socket } from "node:net";

interface Entry<T> {
  readonly value: T;
  before: Entry<T> | undefined;
  after: Entry<T> | undefined;
}

/** Requests that an app makes by hand may have no socket. */
type Key = Socket | null | undefined;

export class SocketMap<T> {
  readonly #entry = Symbol("choir.socket-map");
  #first: Entry<T> | undefined;
  #last: Entry<T> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(socket: Key): T | undefined {
    return this.#entryOf(socket)?.value;
  }

  /** Puts a value at the end; one that the socket had before goes. */
  set(socket: Socket, value: T): void {
    this.delete(socket);
    const before = this.#last;
    const entry: Entry<T> = { value, before, after: undefined };
    if (before === undefined) this.#first = entry;
    else before.after = entry;
    this.#last = entry;
    this.#size++;
    this.#mark(socket, entry);
  }

  /** Whether there was one. */
  delete(socket: Socket): boolean {
    const entry = this.#entryOf(socket);
    if (entry === undefined) return false;
    const { before, after } = entry;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    // Or an entry that V8 has found to be old would keep its neighbours, and they theirs.
    entry.before = undefined;
    entry.after = undefined;
    this.#size--;
    this.#mark(socket, undefined);
    return true;
  }

  /** Those of now, oldest first, whatever comes or goes while they are gone through. */
  values(): T[] {
    const values: T[] = [];
    for (let entry = this.#first; entry !== undefined; entry = entry.after) values.push(entry.value);
    return values;
  }

  #entryOf(socket: Key): Entry<T> | undefined {
    return (socket as Record<symbol, Entry<T> | undefined> | null | undefined)?.[this.#entry];
  }

  #mark(socket: Socket, entry: Entry<T> | undefined): void {
    (socket as unknown as Record<symbol, Entry<T> | undefined>)[this.#entry] = entry;
  }
}
