/** The dashboard: keeps what the supervisor says, and has it drawn. Runs in the browser; server.ts is the other side. */
import type { ChoirEvent } from "../../../events.ts";
import type { Snapshot } from "../../../supervisor/snapshot.ts";
import { type HistoryReport, sampleOf } from "../sample.ts";
import { ActivityView } from "./activity-view.ts";
import { Api, RefusedError } from "./api.ts";
import { ChartsView } from "./charts-view.ts";
import { byId, setData, setText } from "./dom.ts";
import { HeadlineView } from "./headline-view.ts";
import { Live } from "./live.ts";
import { LogView } from "./log-view.ts";
import { EventParser, LineCutter } from "./parse.ts";
import { RolloutView } from "./rollout-view.ts";
import { SlotsView } from "./slots-view.ts";
import { NO_STATE, type PageState, withEvent, withHistory, withLater, withSnapshot } from "./state.ts";
import { Steering } from "./steering.ts";
import { startTheme } from "./theme.ts";
import { Timeline } from "./timeline.ts";

/** Between two snapshots, and how long none may come before the connection is taken for dead, in milliseconds. */
const SNAPSHOT_MS = 500;
const SILENT_MS = 6000;
/** Between two attempts to begin, and between two pictures while nothing comes, in milliseconds. */
const TICK_MS = 1000;
const LOG_SILENT_MS = 0x7f_ff_ff_ff;
const FIRST_LINES = 300;

class Page {
  readonly #api = new Api();
  readonly #timeline = new Timeline();
  readonly #headline = new HeadlineView();
  readonly #rollout = new RolloutView();
  readonly #charts = new ChartsView();
  readonly #slots = new SlotsView();
  readonly #activity = new ActivityView();
  readonly #log = new LogView();
  readonly #connection = byId("connection", HTMLElement);
  readonly #steering = new Steering(this.#api, () => void this.start());
  readonly #events = new Live(this.#api, this.#eventHandlers(), { silentMs: SILENT_MS });
  readonly #lines = new Live(this.#api, this.#logHandlers(), { silentMs: LOG_SILENT_MS });
  #state: PageState = NO_STATE;
  /** The supervisor's clock less this browser's, in milliseconds. */
  #ahead = 0;
  #lostAt: number | undefined;
  /** Events that came while the history was asked for; undefined when it is not. */
  #meanwhile: ChoirEvent[] | undefined;
  #drawing = false;

  constructor() {
    startTheme(() => {
      this.#charts.redraw();
      this.#draw();
    });
    document.addEventListener("visibilitychange", () => {
      this.#openLog();
      this.#draw();
    });
    // Ages grow while nothing comes.
    setInterval(() => this.#draw(), TICK_MS);
  }

  /** Begins, or begins anew with another token. */
  async start(): Promise<void> {
    try {
      const session = await this.#api.session();
      this.#steering.allow(session);
      if (session.view) this.#open();
      else {
        this.#say("Locked", "bad");
        this.#steering.askForToken(session.token === "wrong" ? "This is not the token" : "");
      }
    } catch (error) {
      this.#lose();
      if (error instanceof RefusedError) this.#say(error.message, "bad");
      else setTimeout(() => void this.start(), TICK_MS);
    }
  }

  get #now(): number {
    return Date.now() + this.#ahead;
  }

  #open(): void {
    this.#events.open(`v1/events?snapshots=${SNAPSHOT_MS}`);
    this.#lines.close();
    this.#openLog();
  }

  /** A browser has six connections for all tabs of a site: those that nobody sees do without the log. */
  #openLog(): void {
    if (document.hidden) this.#lines.close();
    else if (!this.#lines.isOpen && this.#events.isOpen) this.#lines.open(`v1/logs?follow=true&lines=${FIRST_LINES}`);
  }

  #eventHandlers() {
    let parser = new EventParser();
    return {
      begun: (serverTime: number) => {
        parser = new EventParser();
        this.#ahead = serverTime - Date.now();
        void this.#loadHistory();
      },
      text: (piece: string) => {
        for (const { name, data } of parser.take(piece)) this.#take(name, JSON.parse(data));
      },
      lost: () => this.#lose(),
      refused: () => void this.start(),
    };
  }

  #logHandlers() {
    let cutter = new LineCutter();
    return {
      begun: () => {
        cutter = new LineCutter();
        this.#log.reset();
      },
      text: (piece: string) => {
        for (const line of cutter.take(piece)) this.#log.add(line);
      },
      lost: () => {},
      refused: () => {},
    };
  }

  /** What happened while this page was not there, or not connected. */
  async #loadHistory(): Promise<void> {
    this.#meanwhile = [];
    const report = await this.#api.get<HistoryReport>("v1/history").catch(() => undefined);
    const meanwhile = this.#meanwhile ?? [];
    this.#meanwhile = undefined;
    if (report === undefined) return;
    this.#ahead = report.now - Date.now();
    this.#timeline.reset(report.samples);
    const { snapshot, seenAt } = this.#state;
    const known = withLater(withHistory(report), meanwhile, this.#now);
    this.#activity.reset();
    this.#state = snapshot === undefined ? known : withSnapshot(known, snapshot, seenAt);
    this.#draw();
  }

  #take(name: string, value: unknown): void {
    this.#lostAt = undefined;
    this.#say("Live", "good");
    if (name === "snapshot") {
      const snapshot = value as Snapshot;
      this.#state = withSnapshot(this.#state, snapshot, this.#now);
      this.#timeline.add(sampleOf(snapshot, this.#now));
      this.#log.offerSlots(snapshot.slots.map(({ id }) => id));
    } else if (name === "choir") {
      this.#meanwhile?.push(value as ChoirEvent);
      this.#state = withEvent(this.#state, { at: this.#now, event: value as ChoirEvent });
    }
    this.#draw();
  }

  #lose(): void {
    this.#lostAt ??= this.#now;
    this.#say("Reconnecting", "bad");
    this.#draw();
  }

  #say(text: string, tone: "good" | "bad"): void {
    setText(this.#connection, text);
    setData(this.#connection, "tone", tone);
  }

  /** At most once for each frame; a tab that is hidden has none, yet its title and icon are seen. */
  #draw(): void {
    if (document.hidden) {
      this.#drawHeadline();
      return;
    }
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      const now = this.#now;
      this.#drawHeadline();
      this.#rollout.render(this.#state, now);
      this.#charts.render(this.#state, this.#timeline);
      this.#slots.render(this.#state, now);
      this.#activity.render(this.#state);
      this.#steering.render(this.#state);
    });
  }

  #drawHeadline(): void {
    const now = this.#now;
    const lostMs = this.#lostAt === undefined ? undefined : now - this.#state.seenAt;
    document.body.classList.toggle("stale", lostMs !== undefined);
    this.#headline.render(this.#state, { now, lostMs });
  }
}

void new Page().start();
