/** The table of slots. Runs in the browser; slot-rows.ts decides what stands in it. */
import { byId, icon, make, setData, setIcon, setText } from "./dom.ts";
import { type CellName, type SlotRow, slotRows } from "./slot-rows.ts";
import type { PageState } from "./state.ts";
import { count } from "./words.ts";

/** In the order of the columns; `wide` ones are text, the others figures. */
const COLUMNS: readonly { readonly name: CellName; readonly title: string; readonly wide?: true }[] = [
  { name: "state", title: "State", wide: true },
  { name: "generation", title: "Gen." },
  { name: "requests", title: "Req/s" },
  { name: "p50", title: "p50" },
  { name: "p99", title: "p99" },
  { name: "inFlight", title: "In flight" },
  { name: "loop", title: "Loop delay" },
  { name: "cpu", title: "CPU" },
  { name: "memory", title: "Memory" },
  { name: "restarts", title: "Restarts" },
  { name: "lastExit", title: "Last exit", wide: true },
  { name: "uptime", title: "Up" },
  { name: "pid", title: "Pid" },
];

interface RowElements {
  readonly row: HTMLTableRowElement;
  readonly icon: SVGSVGElement;
  readonly cells: ReadonlyMap<CellName, HTMLElement>;
}

export class SlotsView {
  readonly #body = byId("slots", HTMLElement);
  readonly #facts = byId("slots-facts", HTMLElement);
  readonly #rows = new Map<string, RowElements>();

  constructor() {
    const head = byId("slots-head", HTMLElement);
    const titles = [{ title: "Slot", wide: undefined }, ...COLUMNS];
    for (const { title, wide } of titles) {
      const cell = make("th", wide ? "wide" : "", title);
      cell.setAttribute("role", "columnheader");
      cell.scope = "col";
      head.append(cell);
    }
  }

  render(state: PageState, now: number): void {
    const rows = slotRows(state, now);
    const keys = new Set(rows.map(({ key }) => key));
    for (const [key, { row }] of this.#rows) {
      if (keys.has(key)) continue;
      row.remove();
      this.#rows.delete(key);
    }
    for (const [index, row] of rows.entries()) {
      const elements = this.#rows.get(row.key) ?? this.#add(row);
      const before = this.#body.children[index];
      if (before !== elements.row) this.#body.insertBefore(elements.row, before ?? null);
      fill(elements, row);
    }
    const { snapshot } = state;
    if (snapshot !== undefined) setText(this.#facts, `${count(snapshot.instances, "instance")} wanted`);
  }

  #add({ key, slot }: SlotRow): RowElements {
    const row = make("tr");
    row.setAttribute("role", "row");
    const title = make("th", "slot", String(slot));
    title.scope = "row";
    title.setAttribute("role", "rowheader");
    row.append(title);
    const mark = icon("good");
    const cells = new Map(
      COLUMNS.map(({ name, title: label, wide }) => {
        const cell = make("td", wide ? `wide ${name}` : name);
        cell.setAttribute("role", "cell");
        cell.dataset["label"] = label;
        const text = make("span");
        if (name === "state") cell.append(mark);
        cell.append(text);
        row.append(cell);
        return [name, text] as const;
      }),
    );
    const elements = { row, icon: mark, cells };
    this.#rows.set(key, elements);
    return elements;
  }
}

function fill({ row, icon: mark, cells }: RowElements, { tone, isFirst, cells: texts, alarming }: SlotRow): void {
  setData(row, "tone", tone);
  setData(row, "first", String(isFirst));
  setIcon(mark, tone);
  for (const [name, text] of cells) {
    setText(text, texts[name]);
    setData(text, "alarm", String(alarming.has(name)));
  }
}
