/** A rolling restart, slot by slot. Runs in the browser; rollout.ts decides what stands in it. */
import { describeDuration } from "../../../describe-event.ts";
import { byId, icon, make, setData, setIcon, setText, show } from "./dom.ts";
import { rolloutView, type Step } from "./rollout.ts";
import type { PageState } from "./state.ts";
import { clockTime, roughly } from "./words.ts";

const ICONS: Readonly<Record<Step, string>> = {
  waiting: "muted",
  starting: "busy",
  trial: "busy",
  draining: "good",
  done: "good",
  kept: "muted",
  down: "bad",
};

export class RolloutView {
  readonly #box = byId("rollout", HTMLElement);
  readonly #title = byId("rollout-title", HTMLElement);
  readonly #facts = byId("rollout-facts", HTMLElement);
  readonly #progress = byId("rollout-progress", HTMLProgressElement);
  readonly #steps = byId("rollout-steps", HTMLElement);
  readonly #error = byId("rollout-error", HTMLElement);
  readonly #cause = byId("rollout-cause", HTMLElement);
  readonly #words = byId("rollout-words", HTMLElement);

  render(state: PageState, now: number): void {
    const view = rolloutView(state, now);
    show(this.#box, view !== undefined);
    if (view === undefined) return;
    const { title, tone, steps, done, startedAt, endedAt, error, lastWords } = view;
    setData(this.#box, "tone", tone);
    setText(this.#title, title);
    const facts =
      endedAt === undefined
        ? `${done} of ${steps.length} slots new, since ${roughly(now - startedAt)}`
        : `at ${clockTime(endedAt)}, after ${describeDuration(endedAt - startedAt)}`;
    setText(this.#facts, facts);
    this.#progress.max = Math.max(1, steps.length);
    this.#progress.value = done;
    show(this.#progress, endedAt === undefined);
    this.#renderSteps(steps);
    show(this.#error, error !== undefined);
    setText(this.#cause, error ?? "");
    setText(this.#words, lastWords.join("\n"));
    show(this.#words, lastWords.length > 0);
  }

  #renderSteps(steps: readonly { readonly slot: number; readonly step: Step; readonly text: string }[]): void {
    while (this.#steps.children.length > steps.length) this.#steps.lastElementChild?.remove();
    for (const [index, { slot, step, text }] of steps.entries()) {
      const item = (this.#steps.children[index] as HTMLElement | undefined) ?? this.#steps.appendChild(newStep());
      setData(item, "step", step);
      const [mark, name, what] = item.children;
      setIcon(mark as SVGSVGElement, ICONS[step]);
      setText(name!, `Slot ${slot}`);
      setText(what!, text);
    }
  }
}

function newStep(): HTMLElement {
  const item = make("li");
  item.append(icon("muted"), make("strong"), make("span"));
  return item;
}
