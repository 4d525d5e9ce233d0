/** The tail of the log, with its filter. Runs in the browser. */
import { byId, make, setText } from "./dom.ts";
import { type LogFilter, type LogLine, levelName, passes, readLine } from "./log-lines.ts";
import { clockTime } from "./words.ts";

/** Lines that are kept here, and those of them that are in the document. */
const MOST_KEPT = 3000;
const MOST_SHOWN = 500;

export class LogView {
  readonly #box = byId("log", HTMLElement);
  readonly #facts = byId("log-facts", HTMLElement);
  readonly #text = byId("log-text", HTMLInputElement);
  readonly #level = byId("log-level", HTMLSelectElement);
  readonly #slot = byId("log-slot", HTMLSelectElement);
  readonly #follow = byId("log-follow", HTMLButtonElement);
  #lines: LogLine[] = [];
  /** Those that are not in the document yet. */
  #fresh: LogLine[] = [];
  #drawing = false;
  #following = true;

  constructor() {
    for (const input of [this.#text, this.#level, this.#slot]) input.addEventListener("input", () => this.#redraw());
    this.#follow.addEventListener("click", () => this.#setFollowing(!this.#following));
    this.#box.addEventListener("scroll", () => {
      // Who scrolls up wants to read; who scrolls to the end wants what comes.
      const isAtEnd = this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight < 24;
      if (isAtEnd !== this.#following) this.#setFollowing(isAtEnd);
    });
  }

  /** The stream begins anew, with the last lines again. */
  reset(): void {
    this.#lines = [];
    this.#fresh = [];
    this.#box.replaceChildren();
  }

  add(json: string): void {
    const line = readLine(json);
    if (line === undefined) return;
    this.#lines.push(line);
    this.#fresh.push(line);
    if (this.#lines.length > MOST_KEPT * 1.2) this.#lines = this.#lines.slice(-MOST_KEPT);
    if (this.#fresh.length > MOST_SHOWN) this.#fresh = this.#fresh.slice(-MOST_SHOWN);
    this.#draw();
  }

  /** The slots that can be chosen. */
  offerSlots(ids: readonly number[]): void {
    const known = [...this.#slot.options].slice(1).map(({ value }) => Number(value));
    for (const id of ids) if (!known.includes(id)) this.#slot.add(new Option(String(id), String(id)));
  }

  get #filter(): LogFilter {
    const { value } = this.#slot;
    return {
      text: this.#text.value.trim(),
      level: Number(this.#level.value),
      instance: value === "" ? undefined : Number(value),
    };
  }

  #setFollowing(following: boolean): void {
    this.#following = following;
    this.#follow.setAttribute("aria-pressed", String(following));
    if (following) this.#box.scrollTop = this.#box.scrollHeight;
  }

  #redraw(): void {
    this.#box.replaceChildren();
    this.#fresh = this.#lines;
    this.#draw();
  }

  /** At most once for each frame, however fast lines come. */
  #draw(): void {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#append();
    });
  }

  #append(): void {
    const filter = this.#filter;
    const passed = this.#fresh.filter((line) => passes(line, filter)).slice(-MOST_SHOWN);
    this.#fresh = [];
    this.#box.append(...passed.map(lineElement));
    while (this.#box.children.length > MOST_SHOWN) this.#box.firstElementChild?.remove();
    if (this.#following) this.#box.scrollTop = this.#box.scrollHeight;
    const matching = this.#lines.filter((line) => passes(line, filter)).length;
    const shown = this.#box.children.length;
    const last = shown < matching ? `, the last ${shown} shown` : "";
    setText(this.#facts, `${matching} of ${this.#lines.length} lines${last}`);
  }
}

function lineElement({ level, time, instance, message, fields, stack }: LogLine): HTMLElement {
  const element = make("div", "line");
  const name = levelName(level);
  element.dataset["level"] = name;
  const at = make("time", "", time === 0 ? "" : clockTime(time));
  const who = make("span", "who", instance === undefined ? "" : `#${instance}`);
  const words = make("span", "words", message);
  if (fields !== "") words.append(" ", make("span", "fields", fields));
  if (stack !== "") words.append(make("pre", "", stack));
  element.append(at, " ", make("span", "level", name), " ", who, " ", words);
  return element;
}
