/** A first-in-first-out list whose both ends are cheap however long it gets. A leaf, used in both processes. */

const COMPACT_AT = 1024;

export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** The oldest one, which stays. */
  first(): T | undefined {
    return this.#items[this.#head];
  }

  /** The newest one, which stays. */
  last(): T | undefined {
    return this.length === 0 ? undefined : this.#items.at(-1);
  }

  /** Takes the oldest one out. */
  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#items.length) this.clear();
    else if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
  }
}
