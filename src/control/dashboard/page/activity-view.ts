/** What happened, the newest first, in the sentences that the log has. Runs in the browser. */
import { describeEvent } from "../../../describe-event.ts";
import type { Description } from "../../../events.ts";
import type { PastEvent } from "../sample.ts";
import { byId, icon, make, setText, show } from "./dom.ts";
import type { PageState } from "./state.ts";
import { clockTime } from "./words.ts";

const MOST_SHOWN = 80;
/** Screen readers are told of one thing in so many milliseconds: the last of those that come faster. */
const ANNOUNCE_MS = 1500;

export class ActivityView {
  readonly #list = byId("activity", HTMLElement);
  readonly #empty = byId("activity-empty", HTMLElement);
  readonly #announcer = byId("announcer", HTMLElement);
  #last: PastEvent | undefined;
  #isAnnouncing = false;
  #toSay = "";

  render({ events }: PageState): void {
    const from = this.#last === undefined ? 0 : events.lastIndexOf(this.#last) + 1;
    const isFirst = this.#last === undefined;
    for (const past of events.slice(from)) {
      const description = describe(past);
      if (description.level === "debug") continue;
      this.#list.prepend(entryOf(past, description));
      if (!isFirst) this.#announce(description.message);
    }
    while (this.#list.children.length > MOST_SHOWN) this.#list.lastElementChild?.remove();
    this.#last = events.at(-1) ?? this.#last;
    show(this.#empty, this.#list.children.length === 0);
    show(this.#list, this.#list.children.length > 0);
  }

  /** Another supervisor: what was before is not its past. */
  reset(): void {
    this.#list.replaceChildren();
    this.#last = undefined;
  }

  #announce(text: string): void {
    this.#toSay = text;
    if (this.#isAnnouncing) return;
    this.#isAnnouncing = true;
    setTimeout(() => {
      this.#isAnnouncing = false;
      setText(this.#announcer, this.#toSay);
    }, ANNOUNCE_MS);
  }
}

/** An event of a newer supervisor than this page's. */
function describe({ event }: PastEvent): Description {
  try {
    return describeEvent(event);
  } catch {
    return { level: "info", message: event.event };
  }
}

function entryOf({ at, event }: PastEvent, { level, message, detail }: Description): HTMLElement {
  const item = make("li");
  const tone = toneOf(event, level);
  item.dataset["tone"] = tone;
  const time = make("time", "", clockTime(at));
  time.dateTime = new Date(at).toISOString();
  const words = make("div", "said", message);
  if (detail !== undefined) {
    const more = make("details");
    more.append(make("summary", "", "more"), make("pre", "", detail));
    words.append(more);
  }
  item.append(icon(tone), time, words);
  return item;
}

function toneOf(event: PastEvent["event"], level: Description["level"]): string {
  if (level === "error" || level === "fatal") return "bad";
  if (level === "warn") return "warn";
  if (event.event === "instance-ready" || (event.event === "restart-finished" && event.outcome === "done"))
    return "good";
  return event.event === "restart-started" || event.event === "scaled" || event.event === "starting" ? "busy" : "muted";
}
