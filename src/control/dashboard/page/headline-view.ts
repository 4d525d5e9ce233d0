/** The line on top that says how the app is, and what else is wrong. Runs in the browser. */
import type { Snapshot } from "../../../supervisor/snapshot.ts";
import { byId, make, setData, setIcon, setText, show } from "./dom.ts";
import { headlineOf, type Problem, problemsOf } from "./problems.ts";
import type { PageState } from "./state.ts";
import { count, roughly } from "./words.ts";

/** As many as a glance takes in. */
const MOST_OTHERS = 4;

export class HeadlineView {
  readonly #box = byId("headline", HTMLElement);
  readonly #text = byId("headline-text", HTMLElement);
  readonly #more = byId("headline-more", HTMLElement);
  readonly #others = byId("others", HTMLElement);
  readonly #ready = byId("ready", HTMLElement);
  readonly #count = byId("ready-count", HTMLElement);
  readonly #word = byId("ready-word", HTMLElement);
  readonly #name = byId("name", HTMLElement);
  readonly #facts = byId("facts", HTMLElement);
  readonly #favicon = byId("favicon", HTMLLinkElement);
  readonly #icon = document.querySelector<SVGSVGElement>("#headline-icon")!;

  /** `lostMs`: for how long nothing has been heard; undefined while all is live. */
  render(state: PageState, { now, lostMs }: { readonly now: number; readonly lostMs: number | undefined }): void {
    const { snapshot } = state;
    const known = headlineOf(state, now);
    const headline = lostMs === undefined || snapshot === undefined ? known : lostHeadline(lostMs);
    setData(this.#box, "tone", headline.tone);
    setIcon(this.#icon, headline.tone);
    setText(this.#text, headline.text);
    setText(this.#more, headline.more ?? "");
    const problems = problemsOf(state, now).filter((each) => each !== headline && each.text !== headline.text);
    this.#renderOthers(problems);
    this.#renderTab(headline, snapshot?.name);
    if (snapshot === undefined) return;
    show(this.#ready, true);
    setText(this.#count, `${readySlots(snapshot)}/${snapshot.instances}`);
    setText(this.#word, "ready");
    setText(this.#name, snapshot.name);
    setText(this.#facts, factsOf(state, now));
  }

  #renderOthers(problems: readonly Problem[]): void {
    const shown = problems.slice(0, MOST_OTHERS).map(({ text, tone }) => ({ text, tone }));
    if (problems.length > MOST_OTHERS) shown.push({ text: `and ${problems.length - MOST_OTHERS} more`, tone: "warn" });
    show(this.#others, shown.length > 0);
    while (this.#others.children.length > shown.length) this.#others.lastElementChild?.remove();
    for (const [index, { text, tone }] of shown.entries()) {
      const item = (this.#others.children[index] as HTMLElement | undefined) ?? this.#others.appendChild(make("li"));
      setData(item, "tone", tone);
      setText(item, text);
    }
  }

  /** A tab among many shows it too. */
  #renderTab({ tone, text }: Problem, name = "Choir"): void {
    const mark = { bad: "✖ ", warn: "▲ ", busy: "", good: "" }[tone];
    const title = `${mark}${name} – ${text}`;
    if (document.title !== title) document.title = title;
    const href = this.#favicon.href.replace(/icon-\w+\.svg$/, `icon-${tone}.svg`);
    if (this.#favicon.href !== href) this.#favicon.href = href;
  }
}

/** While one follows another both are ready, which is one place filled. */
function readySlots({ slots, instances }: Snapshot): number {
  return slots.filter(({ id, instances: all }) => id < instances && all.some(({ state }) => state === "ready")).length;
}

function lostHeadline(lostMs: number): Problem {
  return {
    tone: "bad",
    text: "No connection to the supervisor",
    more: `Trying again. What stands below is ${roughly(lostMs)} old: choir status on the machine says whether it runs`,
  };
}

function factsOf({ snapshot }: PageState, now: number): string {
  if (snapshot === undefined) return "";
  const { generation, startedAt, urls, version, pid, engine } = snapshot;
  return [
    urls.join(" and "),
    `generation ${generation}`,
    `up ${roughly(Math.max(0, now - Date.parse(startedAt)))}`,
    `supervisor ${pid}`,
    ...(engine === null ? [] : [`${engine.url} ${engine.state}, ${count(engine.peers, "other machine")}`]),
    `Choir ${version}`,
  ]
    .filter((each) => each !== "")
    .join(" · ");
}
